//! What somebody may have meant.

/// The word of `known` that is most like `word`, if one is much like it.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| {
        // Whoever leaves out the end means the whole.
        if other.starts_with(word) { 1 } else { edits(word, other) }
    };
    let near = known.iter().map(|other| (distance(other), *other)).min()?;
    (near.0 <= word.chars().count().div_ceil(2)).then_some(near.1)
}

/// Letters to add, take away, replace or swap with their neighbour to make `other` of `word`.
fn edits(word: &str, other: &str) -> usize {
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (index, letter) in word.iter().enumerate() {
        let mut row = vec![index + 1];
        for (column, wanted) in other.iter().enumerate() {
            let above = &rows[index];
            let replaced = above[column] + usize::from(letter != wanted);
            let mut least = replaced.min(above[column + 1] + 1).min(row[column] + 1);
            let is_swap = index > 0
                && column > 0
                && *letter == other[column - 1]
                && word[index - 1] == *wanted;
            if is_swap {
                least = least.min(rows[index - 1][column - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[word.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_none_where_all_are_far() {
        let known = ["cap", "cpu", "cpu_path", "lookback_hours", "retries", "url"];
        let near = |word| nearest(word, &known);
        assert_eq!(near("cpa"), Some("cap"));
        assert_eq!(near("lookback"), Some("lookback_hours"));
        assert_eq!(near("retry"), Some("retries"));
        assert_eq!(near("url"), Some("url"));
        assert_eq!(near("holidays"), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, count) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("cpa", "cap", 1),
        ] {
            assert_eq!(edits(a, b), count, "{a} {b}");
        }
    }
}

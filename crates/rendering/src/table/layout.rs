//! Which columns are shown, and how wide, so that a line fits.

/// What stands between two columns.
const GUTTER: usize = 2;
/// A name up to this long is not cut while a column could be hidden instead.
const COMFORTABLE: usize = 24;
/// No name is cut to less.
const LEAST: usize = 8;

/// What is known of a column when its width is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Characters of its longest cell.
    pub(super) width: usize,
    /// Whether its cells are names, which may be cut in the middle.
    pub(super) is_name: bool,
    /// When it is hidden for want of room: the lowest first, `None` never.
    pub(super) hidden: Option<u8>,
}

/// The width of each column, `None` for one that is hidden, so that a line has at most `width` characters where that can be.
pub(super) fn fit(wishes: &[Wish], width: Option<usize>) -> Vec<Option<usize>> {
    let mut shown: Vec<Option<usize>> = wishes.iter().map(|wish| Some(wish.width)).collect();
    let Some(width) = width else { return shown };
    loop {
        let mut tried = shown.clone();
        if shrink(&mut tried, wishes, width, COMFORTABLE) {
            return tried;
        }
        let still = shown.iter().zip(wishes).filter(|(shown, _)| shown.is_some());
        let Some(next) = still.filter_map(|(_, wish)| wish.hidden).min() else { break };
        // Columns of one order mean nothing without each other.
        let hidden = shown.iter_mut().zip(wishes).filter(|(_, wish)| wish.hidden == Some(next));
        hidden.for_each(|(shown, _)| *shown = None);
    }
    shrink(&mut shown, wishes, width, LEAST);
    shown
}

/// Takes from the widest name, down to `floor`, until the line fits; whether it does.
fn shrink(shown: &mut [Option<usize>], wishes: &[Wish], width: usize, floor: usize) -> bool {
    loop {
        let columns = shown.iter().flatten();
        let line = columns.clone().sum::<usize>() + GUTTER * columns.count().saturating_sub(1);
        if line <= width {
            return true;
        }
        let names = shown.iter_mut().zip(wishes).filter(|(_, wish)| wish.is_name);
        let widest = names.filter_map(|(shown, _)| shown.as_mut()).max_by_key(|width| **width);
        match widest {
            Some(widest) if *widest > floor => *widest -= 1,
            _ => return false,
        }
    }
}

/// The name in at most `width` characters: both of its ends say more than its middle.
pub(super) fn cut(name: &str, width: usize) -> String {
    let count = name.chars().count();
    if count <= width || width == 0 {
        return name.to_owned();
    }
    let (head, tail) = (width / 2, (width - 1) / 2);
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn name(width: usize) -> Wish {
        Wish { width, is_name: true, hidden: None }
    }

    const fn number(width: usize, hidden: Option<u8>) -> Wish {
        Wish { width, is_name: false, hidden }
    }

    #[test]
    fn columns_are_hidden_in_their_order_before_a_name_is_cut() {
        let wishes = [name(24), number(10, Some(2)), number(10, Some(1)), number(10, None)];
        assert_eq!(fit(&wishes, None), [Some(24), Some(10), Some(10), Some(10)]);
        assert_eq!(fit(&wishes, Some(60)), [Some(24), Some(10), Some(10), Some(10)]);
        assert_eq!(fit(&wishes, Some(59)), [Some(24), Some(10), None, Some(10)]);
        assert_eq!(fit(&wishes, Some(36)), [Some(24), None, None, Some(10)]);
        assert_eq!(fit(&wishes, Some(35)), [Some(23), None, None, Some(10)]);
        assert_eq!(fit(&wishes, Some(5)), [Some(8), None, None, Some(10)]);
    }

    #[test]
    fn columns_of_one_order_are_hidden_together() {
        let wishes = [number(10, Some(1)), number(10, None), number(10, Some(1))];
        assert_eq!(fit(&wishes, Some(33)), [None, Some(10), None]);
    }

    #[test]
    fn one_very_long_name_does_not_hide_the_rest() {
        let wishes = [name(63), number(20, Some(1))];
        assert_eq!(fit(&wishes, Some(70)), [Some(48), Some(20)]);
    }

    #[test]
    fn a_cut_name_keeps_both_ends() {
        assert_eq!(cut("recommendationservice", 12), "recomm…rvice");
        assert_eq!(cut("recommendationservice", 21), "recommendationservice");
        assert_eq!(cut("größenordnung", 6), "grö…ng");
    }
}

//! Cutting an answer into its series while it arrives.

/// The brackets in which the series of an answer to a query are: `{"data":{"result":[{...},{...}]}}`.
pub(super) const OF_QUERY: &[u8] = b"{{[";
/// The brackets in which label sets are: `{"data":[{...},{...}]}`.
pub(super) const OF_LABELS: &[u8] = b"{[";

/// Splits the text of an answer into series and what surrounds them, in pieces of any size, so that only one series is in
/// memory as text.
#[derive(Debug)]
pub(super) struct Elements {
    /// The open brackets between series.
    between: &'static [u8],
    /// The text around the series, with an empty list in their place.
    around: Vec<u8>,
    /// The series that has begun.
    element: Vec<u8>,
    /// The open brackets.
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
}

impl Elements {
    /// None yet; `between` are the open brackets between series.
    pub(super) const fn new(between: &'static [u8]) -> Self {
        Self {
            between,
            around: Vec::new(),
            element: Vec::new(),
            open: Vec::new(),
            in_text: false,
            escaped: false,
        }
    }

    /// Takes the next `piece` and calls `each` with every series that ends in it; stops at what `each` fails with.
    pub(super) fn feed<E>(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut from = 0;
        for (index, &byte) in piece.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    if self.begins_series(byte) {
                        self.around.extend_from_slice(&piece[from..index]);
                        from = index;
                    }
                    self.open.push(byte);
                }
                b'}' | b']' => {
                    self.open.pop();
                    if byte == b'}' && self.is_between_series() {
                        self.element.extend_from_slice(&piece[from..=index]);
                        from = index + 1;
                        each(&self.element)?;
                        self.element.clear();
                    }
                }
                b',' if self.is_between_series() => {
                    self.around.extend_from_slice(&piece[from..index]);
                    from = index + 1;
                }
                _ => {}
            }
        }
        let rest = &piece[from..];
        if self.open.len() > self.between.len() && self.open.starts_with(self.between) {
            self.element.extend_from_slice(rest);
        } else {
            self.around.extend_from_slice(rest);
        }
        Ok(())
    }

    /// The text around the series.
    pub(super) fn around(&self) -> &[u8] {
        &self.around
    }

    /// The beginning of the answer, for people.
    pub(super) fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.around).chars().take(60).collect()
    }

    /// Whether the answer broke off within a series.
    pub(super) fn is_broken(&self) -> bool {
        !self.element.is_empty()
    }

    fn is_between_series(&self) -> bool {
        self.open == self.between
    }

    fn begins_series(&self, byte: u8) -> bool {
        byte == b'{' && self.is_between_series()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The series in `text`, which comes in pieces of `width` bytes, and what is around them.
    fn cut(text: &str, width: usize) -> (Vec<String>, String) {
        let mut elements = Elements::new(OF_QUERY);
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(width) {
            let each = |element: &[u8]| {
                found.push(String::from_utf8(element.to_vec()).unwrap());
                Ok::<(), ()>(())
            };
            elements.feed(piece, each).unwrap();
        }
        assert!(!elements.is_broken());
        (found, String::from_utf8(elements.around().to_vec()).unwrap())
    }

    proptest! {
        #[test]
        fn series_are_found_wherever_the_pieces_end(width in 1usize..200) {
            let series = [r#"{"metric":{"a":"},{\"[","b":"\\"},"values":[[1,"2"],[3,"{"]]}"#, "{}"];
            let text = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}, {}],"stats":{{"x":[{{}}]}}}},"warnings":["[{{"]}}"#,
                series[0], series[1]
            );
            let (found, around) = cut(&text, width);
            prop_assert_eq!(found, series);
            prop_assert_eq!(
                around,
                r#"{"status":"success","data":{"resultType":"matrix","result":[ ],"stats":{"x":[{}]}},"warnings":["[{"]}"#
            );
        }
    }

    #[test]
    fn label_sets_are_found_one_level_higher() {
        let mut elements = Elements::new(OF_LABELS);
        let mut found = Vec::new();
        let text = br#"{"status":"success","data":[{"a":"]"},{"b":"}"}]}"#;
        for piece in text.chunks(3) {
            let each = |element: &[u8]| {
                found.push(String::from_utf8(element.to_vec()).unwrap());
                Ok::<(), ()>(())
            };
            elements.feed(piece, each).unwrap();
        }
        assert_eq!(found, [r#"{"a":"]"}"#, r#"{"b":"}"}"#]);
        assert_eq!(elements.around(), br#"{"status":"success","data":[]}"#);
    }

    #[test]
    fn what_is_no_answer_is_around_and_an_answer_that_breaks_off_is_known() {
        let (found, around) = cut("<html>{log in}", 3);
        assert_eq!((found.len(), around.as_str()), (0, "<html>{log in}"));
        let mut elements = Elements::new(OF_QUERY);
        let broken = br#"{"data":{"result":[{"metric":{}"#;
        elements.feed(broken, |_| Ok::<(), ()>(())).unwrap();
        assert!(elements.is_broken());
    }
}

//! Which keys a configuration takes, asked of its own `Deserialize`, so that none can be forgotten.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor,
};

/// How deep keys are looked for; a type that holds itself would have no end.
const DEEPEST: usize = 12;
/// A name that is a text and a workload.
const NAME: &str = "a/b";

/// What can stand at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Keys of its own.
    Section,
    /// A text, also one that is read as something else, such as `100m`.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list; its elements are at the same key with `[]` after it.
    List,
    /// Values by names of the user's; they are at the same key with `.*` after it.
    Map,
    /// What takes more than one of these.
    Any,
}

/// A key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigKey {
    /// The names on the way to it with `.` between them, as in `policy.cpu.min_allowed`; `[]` stands for any element of the
    /// list before it, `*` for any name.
    pub path: String,
    /// What can stand there.
    pub kind: KeyKind,
    /// Whether it can be null, which is the same as leaving it out.
    pub optional: bool,
}

/// Every key that the configuration `T` takes, in the order in which its fields are declared, a section before what is in it.
#[must_use]
pub fn config_keys<T: DeserializeOwned>() -> Vec<ConfigKey> {
    let mut keys = Vec::new();
    below::<T>(&mut Vec::new(), &mut keys);
    keys
}

fn below<T: DeserializeOwned>(path: &mut Vec<Part>, keys: &mut Vec<ConfigKey>) {
    let Some(Shape { kind, optional, fields }) = shape_at::<T>(path) else { return };
    if !path.is_empty() {
        keys.push(ConfigKey { path: written(path), kind, optional });
    }
    if path.len() == DEEPEST {
        return;
    }
    let parts = match kind {
        KeyKind::Section => fields.iter().map(|field| Part::Field(field)).collect(),
        KeyKind::List => vec![Part::Element],
        KeyKind::Map => vec![Part::Name],
        _ => Vec::new(),
    };
    for part in parts {
        path.push(part);
        below::<T>(path, keys);
        path.pop();
    }
}

fn written(path: &[Part]) -> String {
    let mut text = String::new();
    for part in path {
        match part {
            Part::Element => text.push_str("[]"),
            Part::Field(name) => text.push_str(&dotted(&text, name)),
            Part::Name => text.push_str(&dotted(&text, "*")),
        }
    }
    text
}

fn dotted(before: &str, name: &str) -> String {
    if before.is_empty() { name.to_owned() } else { format!(".{name}") }
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Field(&'static str),
    Element,
    Name,
}

struct Shape {
    kind: KeyKind,
    optional: bool,
    fields: &'static [&'static str],
}

/// What `T` wants to read at `path`; nothing where it does not get there.
fn shape_at<T: DeserializeOwned>(path: &[Part]) -> Option<Shape> {
    let found = RefCell::new(None);
    // It always fails: there is nothing to read, only to see what is asked for.
    let _refused = T::deserialize(Probe { path, optional: false, found: &found });
    found.into_inner()
}

/// Reading ends as soon as it has shown what it wants.
#[derive(Debug)]
struct Seen;

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seen")
    }
}

impl std::error::Error for Seen {}

impl de::Error for Seen {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}

/// Goes down `path` and notes what is wanted at its end.
#[derive(Clone, Copy)]
struct Probe<'a> {
    path: &'a [Part],
    optional: bool,
    found: &'a RefCell<Option<Shape>>,
}

impl Probe<'_> {
    fn see<V>(self, kind: KeyKind, fields: &'static [&'static str]) -> Result<V, Seen> {
        if self.path.is_empty() {
            *self.found.borrow_mut() = Some(Shape { kind, optional: self.optional, fields });
        }
        Err(Seen)
    }

    fn inner(self) -> Option<(Part, Self)> {
        let (first, rest) = self.path.split_first()?;
        Some((*first, Self { path: rest, optional: false, found: self.found }))
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Seen> {
        match self.inner() {
            Some((Part::Element, inner)) => visitor.visit_seq(One { name: None, inner }),
            _ => self.see(KeyKind::List, &[]),
        }
    }
}

/// A map of one name, or a list of one element.
struct One<'a> {
    name: Option<&'static str>,
    inner: Probe<'a>,
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Seen;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Seen> {
        let name = self.name.take();
        name.map(|name| seed.deserialize(StrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Seen> {
        seed.deserialize(self.inner)
    }
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Seen;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Seen> {
        seed.deserialize(self.inner).map(Some)
    }
}

macro_rules! seen_as {
    ($($kind:ident: $($method:ident)*;)*) => {
        $($(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
            self.see(KeyKind::$kind, &[])
        })*)*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Seen;

    seen_as! {
        Text: deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf;
        Whole: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128;
        Number: deserialize_f32 deserialize_f64;
        Switch: deserialize_bool;
        Any: deserialize_any deserialize_identifier deserialize_ignored_any deserialize_unit;
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Seen> {
        self.see(KeyKind::Any, &[])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Seen> {
        visitor.visit_some(Self { optional: true, ..self })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Seen> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Seen> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Seen> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Seen> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Seen> {
        match self.inner() {
            Some((Part::Name, inner)) => visitor.visit_map(One { name: Some(NAME), inner }),
            _ => self.see(KeyKind::Map, &[]),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Seen> {
        match self.inner() {
            Some((Part::Field(name), inner)) => visitor.visit_map(One { name: Some(name), inner }),
            _ => self.see(KeyKind::Section, fields),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Seen> {
        self.see(KeyKind::Choice(variants), &[])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mora_core::{Millicores, WorkloadRef};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Example {
        name: Option<String>,
        count: u32,
        share: f64,
        on: bool,
        cpu: Millicores,
        mode: Mode,
        rules: Vec<Rule>,
        addresses: BTreeMap<WorkloadRef, String>,
        nested: Option<Rule>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        KeepRatio,
        None,
    }

    #[derive(Deserialize)]
    #[serde(try_from = "Stated")]
    struct Rule;

    #[derive(Deserialize)]
    struct Stated {
        #[serde(rename = "lower-bound")]
        lower: i64,
    }

    impl TryFrom<Stated> for Rule {
        type Error = String;

        fn try_from(stated: Stated) -> Result<Self, String> {
            Err(stated.lower.to_string())
        }
    }

    #[test]
    fn every_key_is_found_with_its_kind_also_in_lists_maps_and_sections_that_may_be_absent() {
        let keys = config_keys::<Example>();
        let found: Vec<(&str, KeyKind, bool)> =
            keys.iter().map(|key| (key.path.as_str(), key.kind, key.optional)).collect();
        let expected = [
            ("name", KeyKind::Text, true),
            ("count", KeyKind::Whole, false),
            ("share", KeyKind::Number, false),
            ("on", KeyKind::Switch, false),
            ("cpu", KeyKind::Text, false),
            ("mode", KeyKind::Choice(&["keep_ratio", "none"]), false),
            ("rules", KeyKind::List, false),
            ("rules[]", KeyKind::Section, false),
            ("rules[].lower-bound", KeyKind::Whole, false),
            ("addresses", KeyKind::Map, false),
            ("addresses.*", KeyKind::Text, false),
            ("nested", KeyKind::Section, true),
            ("nested.lower-bound", KeyKind::Whole, false),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_type_that_holds_itself_comes_to_an_end() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its shape is looked at")]
        struct Endless {
            inner: Option<Box<Endless>>,
        }
        assert_eq!(config_keys::<Endless>().len(), DEEPEST);
    }
}

//! A tree of nodes as serde reads it, with errors that know their node: what is wrong there, and the way to it.
//!
//! The crate's own reader has lines, too, but no way: what an error is about could not be taken out and the rest be read.

use super::node::{Node, Pos, Value};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

const NO_MAPPING: &str = "expected a mapping, found a list";

/// Why a node is not what was expected.
#[derive(Debug)]
pub(super) struct DecodeError {
    pub(super) wrong: Wrong,
    /// Where; `None`: at the root.
    pub(super) pos: Option<Pos>,
    /// The members and items on the way to the node, the innermost first.
    pub(super) way: Vec<usize>,
}

/// What is wrong with a node.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It has a member that nothing reads, of those names one was expected.
    Key(String, &'static [&'static str]),
    /// It lacks a member.
    Lacks(&'static str),
    /// It is not one of these words.
    Word(String, &'static [&'static str]),
    /// There is no word where one was expected.
    NoWord,
    /// Something else.
    Value(String),
}

impl DecodeError {
    fn at(mut self, pos: Pos) -> DecodeError {
        self.pos = self.pos.or(Some(pos));
        self
    }

    /// The error is about the member or item of that number, or below it.
    fn below(mut self, index: usize) -> DecodeError {
        self.way.push(index);
        self
    }
}

impl From<Wrong> for DecodeError {
    fn from(wrong: Wrong) -> DecodeError {
        DecodeError { wrong, pos: None, way: Vec::new() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Key(name, expected) => write!(f, "unknown field `{name}`, expected one of {}", expected.join(", ")),
            Wrong::Lacks(name) => write!(f, "missing field `{name}`"),
            Wrong::Word(word, expected) => {
                write!(f, "unknown variant `{word}`, expected one of {}", expected.join(", "))
            }
            Wrong::NoWord => f.write_str("expected one word, alone or with what belongs to it: {word: ...}"),
            Wrong::Value(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Wrong::Value(message.to_string()).into()
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Wrong::Key(field.to_owned(), expected).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Wrong::Lacks(field).into()
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Wrong::Word(variant.to_owned(), expected).into()
    }
}

/// A node, and the text that it stands in.
#[derive(Clone, Copy)]
pub(super) struct NodeReader<'a> {
    pub(super) node: &'a Node,
    pub(super) text: &'a str,
}

impl<'a> NodeReader<'a> {
    fn of(self, node: &'a Node) -> NodeReader<'a> {
        NodeReader { node, ..self }
    }

    /// As it is written, if it is no text: a field may want one all the same.
    fn written(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => self.text.get(self.node.span.range()),
            Value::Str(text) => Some(text),
            Value::Null | Value::Seq(_) | Value::Map(_) => None,
        }
    }
}

impl<'de> Deserializer<'de> for NodeReader<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let read = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Int(n) => visitor.visit_i64(*n),
            // Beyond the numbers of the tree, and not beyond those of a field.
            Value::Float(x) => match self.written().map(str::parse) {
                Some(Ok(n)) => visitor.visit_u64(n),
                _ => visitor.visit_f64(*x),
            },
            Value::Str(s) => visitor.visit_str(s),
            Value::Seq(items) => visitor.visit_seq(Items { of: self, items, next: 0 }),
            Value::Map(members) => {
                let read = visitor.visit_map(Members { of: self, members, next: 0 });
                // A key that nothing reads is where it stands.
                read.map_err(|error| match &error.wrong {
                    Wrong::Key(name, _) => {
                        let index = members.iter().position(|(key, _)| key.name == *name);
                        let pos = index.map_or(self.node.pos, |index| members[index].0.pos);
                        error.at(pos)
                    }
                    _ => error,
                })
            }
        };
        read.map_err(|error| error.at(self.node.pos))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.written() {
            Some(text) => visitor.visit_str(text).map_err(|error: DecodeError| error.at(self.node.pos)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    /// A list is none, though serde's own readers would take its items for the fields in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.node.value {
            Value::Seq(_) => Err(DecodeError::from(Wrong::Value(NO_MAPPING.into())).at(self.node.pos)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.node.value == Value::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_enum(self).map_err(|error| error.at(self.node.pos))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

struct Items<'a> {
    of: NodeReader<'a>,
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(self.of.of(item)).map(Some).map_err(|e| e.at(item.pos).below(self.next - 1))
    }
}

struct Members<'a> {
    of: NodeReader<'a>,
    members: &'a [(super::Key, Node)],
    next: usize,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, _)) = self.members.get(self.next) else { return Ok(None) };
        seed.deserialize(Name(&key.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((_, member)) = self.members.get(self.next) else { return Err(Wrong::NoWord.into()) };
        self.next += 1;
        seed.deserialize(self.of.of(member)).map_err(|e| e.at(member.pos).below(self.next - 1))
    }
}

/// A key, or the word of an enum.
struct Name<'a>(&'a str);

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'a, 'de> EnumAccess<'de> for NodeReader<'a> {
    type Error = DecodeError;
    type Variant = Variant<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Variant<'a>), DecodeError> {
        let (word, pos, value) = match &self.node.value {
            Value::Map(members) if members.len() == 1 => (&members[0].0.name, members[0].0.pos, Some(&members[0].1)),
            Value::Str(word) => (word, self.node.pos, None),
            _ => return Err(Wrong::NoWord.into()),
        };
        let read = seed.deserialize(Name(word)).map_err(|error| error.at(pos))?;
        Ok((read, Variant(value.map(|value| self.of(value)))))
    }
}

/// What belongs to the word.
pub(super) struct Variant<'a>(Option<NodeReader<'a>>);

impl Variant<'_> {
    fn read<T>(self, read: impl FnOnce(NodeReader<'_>) -> Result<T, DecodeError>) -> Result<T, DecodeError> {
        let Some(of) = self.0 else {
            return Err(Wrong::Value("the word alone is not enough: write {word: ...}".into()).into());
        };
        read(of).map_err(|error| error.at(of.node.pos).below(0))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.0 {
            Some(of) if of.node.value != Value::Null => {
                Err(DecodeError::from(Wrong::Value("the word stands alone: nothing belongs to it".into()))
                    .at(of.node.pos))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        self.read(|of| seed.deserialize(of))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.read(|of| of.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.read(|of| of.deserialize_struct("", fields, visitor))
    }
}

//! Words of an event's text, and enums that are words.

use crate::fault::FaultKind;
use crate::kubelet::{MAX_ATTEMPTS, ProbeKind, ProbeResult, Verdict};
use crate::manifest::WatchdogAction;
use std::fmt;

/// One word of an event's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// One of a closed set.
    Known(&'static str),
    /// Any number, like an exit status.
    Number(i32),
    /// Any word, like the name of a process.
    Open(&'a str),
}

impl Word<'_> {
    /// Whether it reads so.
    pub fn reads(self, text: &str) -> bool {
        match self {
            Word::Known(word) | Word::Open(word) => word == text,
            Word::Number(n) => text.parse() == Ok(n),
        }
    }
}

/// Takes the words of a text, one after the other.
pub(super) type Say<'s, 'a> = &'s mut dyn FnMut(Word<'a>);

/// A part of an event's text.
pub(super) trait Spell<'a> {
    /// Says its words.
    fn spell(self, say: Say<'_, 'a>);
}

/// A part whose values can be listed.
pub(super) trait Every: Sized {
    /// Every value there is; one that stands for all where the words are open.
    fn every() -> Vec<Self>;
}

/// Fixed words.
impl<'a> Spell<'a> for &'static str {
    fn spell(self, say: Say<'_, 'a>) {
        self.split(' ').for_each(|word| say(Word::Known(word)));
    }
}

impl Every for bool {
    fn every() -> Vec<Self> {
        vec![true, false]
    }
}

/// A name that vmhealth does not choose.
impl<'a> Spell<'a> for &'a String {
    fn spell(self, say: Say<'_, 'a>) {
        say(Word::Open(self));
    }
}

impl Every for String {
    fn every() -> Vec<Self> {
        vec!["NAME".into()]
    }
}

/// An exit status, or a signal.
impl<'a> Spell<'a> for &'a i32 {
    fn spell(self, say: Say<'_, 'a>) {
        say(Word::Number(*self));
    }
}

impl Every for i32 {
    fn every() -> Vec<Self> {
        vec![0]
    }
}

/// The number of an attempt, from 1.
impl<'a> Spell<'a> for &'a u8 {
    fn spell(self, say: Say<'_, 'a>) {
        const NUMBERS: [&str; MAX_ATTEMPTS as usize] = ["1", "2", "3"];
        let known = usize::from(*self).checked_sub(1).and_then(|n| NUMBERS.get(n).copied());
        say(known.map_or(Word::Number((*self).into()), Word::Known));
    }
}

impl Every for u8 {
    fn every() -> Vec<Self> {
        (1..=MAX_ATTEMPTS).collect()
    }
}

/// Enums whose values are texts: `Value(field: Type) => "fixed words", field;`.
macro_rules! texts {
    ($($(#[$doc:meta])* pub enum $name:ident { $(
        $(#[$value_doc:meta])* $value:ident
        $(($($field:ident: $type:ty),+))?
        $({ $($(#[$named_doc:meta])* $named:ident: $named_type:ty),+ })?
        => $($word:expr),+;
    )+ })+) => { $(
        $(#[$doc])*
        pub enum $name { $(
            $(#[$value_doc])* $value $(($($type),+))? $({ $($(#[$named_doc])* $named: $named_type),+ })?,
        )+ }

        impl<'a> $crate::trace::word::Spell<'a> for &'a $name {
            fn spell(self, say: $crate::trace::word::Say<'_, 'a>) {
                match self { $(
                    $name::$value $(($($field),+))? $({ $($named),+ })? => { $($word.spell(say);)+ }
                )+ }
            }
        }

        impl $crate::trace::word::Every for $name {
            fn every() -> Vec<Self> {
                let mut every = Vec::new();
                $($crate::trace::word::each!(
                    every, $name::$value $(($($field),+))? $({ $($named),+ })?,
                    $($($field: $type,)+)? $($($named: $named_type,)+)?
                );)+
                every
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::trace::word::write(self, f)
            }
        }
    )+ };
}

/// Pushes the value for all values of its fields.
macro_rules! each {
    ($into:ident, $make:expr,) => {
        $into.push($make)
    };
    ($into:ident, $make:expr, $field:ident: $type:ty, $($rest:tt)*) => {
        for $field in <$type as $crate::trace::word::Every>::every() {
            $crate::trace::word::each!($into, $make, $($rest)*);
        }
    };
}

/// The words with spaces between them.
pub(super) fn write<'a>(what: impl Spell<'a>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (mut space, mut result) = ("", Ok(()));
    what.spell(&mut |word| {
        result = result.and_then(|()| {
            f.write_str(space)?;
            match word {
                Word::Known(word) | Word::Open(word) => f.write_str(word),
                Word::Number(n) => write!(f, "{n}"),
            }
        });
        space = " ";
    });
    result
}

/// An enum each of whose values is a word: its own name, or the one that is given. A value may be several words.
macro_rules! words {
    ($($(#[$doc:meta])* pub enum $name:ident { $($(#[$value_doc:meta])* $value:ident $(= $text:literal)?,)+ })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$value,)+];

            /// Its text.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$value => $crate::trace::word::text!($value $($text)?),)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        $crate::trace::word::spelled!($name, as_str);
    )+ };
}

macro_rules! text {
    ($value:ident) => {
        stringify!($value)
    };
    ($value:ident $text:literal) => {
        $text
    };
}

/// An enum with `ALL` and a function that gives each value's word.
macro_rules! spelled {
    ($name:ident, $word:ident) => {
        impl<'a> $crate::trace::word::Spell<'a> for &'a $name {
            fn spell(self, say: $crate::trace::word::Say<'_, 'a>) {
                self.$word().spell(say);
            }
        }

        impl $crate::trace::word::Every for $name {
            fn every() -> Vec<Self> {
                $name::ALL.to_vec()
            }
        }
    };
}

pub(super) use {each, spelled, text, texts, words};

spelled!(WatchdogAction, as_str);
spelled!(FaultKind, name);

/// A kind of fault whose end the engine says: one that [`Fault::lasts`](crate::fault::Fault::lasts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage(pub FaultKind);

impl<'a> Spell<'a> for &'a Outage {
    fn spell(self, say: Say<'_, 'a>) {
        self.0.spell(say);
    }
}

impl Every for Outage {
    fn every() -> Vec<Self> {
        FaultKind::ALL.iter().copied().filter(|kind| kind.is_outage()).map(Outage).collect()
    }
}

/// An enum of another folder, whose values' names are their words.
macro_rules! named {
    ($($name:ident: $($value:ident),+;)+) => { $(
        impl<'a> Spell<'a> for &'a $name {
            fn spell(self, say: Say<'_, 'a>) {
                say(Word::Known(match self { $($name::$value => stringify!($value),)+ }));
            }
        }

        impl Every for $name {
            fn every() -> Vec<Self> {
                vec![$($name::$value,)+]
            }
        }
    )+ };
}

named! {
    ProbeKind: Readiness, Liveness;
    ProbeResult: Success, Failure;
    Verdict: Success, Warning, Failure, Error;
}

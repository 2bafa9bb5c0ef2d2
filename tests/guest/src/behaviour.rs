//! What the guest can be told to do: a variant for each entry of the list that it shares with the
//! scenarios.
//!
//! Whoever adds one to the list adds it here, where the guest does it, and its test. Never does
//! anything.

#[path = "../../hostile/behaviours.rs"]
mod behaviours;

use self::behaviours::behaviours;

macro_rules! enumerate {
    ($($behaviour:ident $name:literal $test:path),* $(,)?) => {
        /// What the guest can be told to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Behaviour {
            $($behaviour,)*
        }

        impl Behaviour {
            /// The one of this name in a command.
            pub(crate) fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$behaviour),)*
                    _ => None,
                }
            }
        }
    };
}

behaviours!(enumerate);

//! The three kinds of work, and what there is one of for each.
//!
//! Values. Never knows a work.

use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::Serialize;

/// The three kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkKind {
    /// Turning a receipt into events.
    Parse,
    /// One handler's work on one event.
    Run,
    /// One event or parcel owed to one endpoint.
    Delivery,
}

impl WorkKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Parse, Self::Run, Self::Delivery];

    pub(super) fn read(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A text that is no [`WorkKind`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not parse, run or delivery")]
pub struct InvalidKind(String);

impl FromStr for WorkKind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        match text {
            "parse" => Ok(Self::Parse),
            "run" => Ok(Self::Run),
            "delivery" => Ok(Self::Delivery),
            _ => Err(InvalidKind(text.to_owned())),
        }
    }
}

/// One of something for each kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PerKind<T>([T; WorkKind::ALL.len()]);

impl<T> PerKind<T> {
    /// All of them, in the order of [`WorkKind::ALL`].
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<WorkKind> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: WorkKind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<WorkKind> for PerKind<T> {
    fn index_mut(&mut self, kind: WorkKind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own() {
        let mut counts = PerKind::<u64>::default();
        for (number, kind) in (1..).zip(WorkKind::ALL) {
            counts[kind] += number;
            assert_eq!(WorkKind::read(kind as u8), Some(kind));
        }
        assert_eq!(counts.values().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(counts[WorkKind::Run], 2);
        assert_eq!(WorkKind::read(3), None);
        for kind in WorkKind::ALL {
            let text = serde_json::to_value(kind).unwrap();
            assert_eq!(text.as_str().unwrap().parse::<WorkKind>().unwrap(), kind);
        }
        assert!("Parse".parse::<WorkKind>().is_err());
    }
}

//! What a group may have in slots, and what one take may have.
//!
//! Values. Never knows what a group has.

use std::time::Duration;

use crate::endpoint::Order;
use crate::event::Timestamp;
use crate::ids::Name;

/// What one group may have in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Works at a time, but for those whose try has ended. Zero switches the group off.
    pub at_a_time: usize,
    /// Nothing is taken before this time; zero is at once.
    pub not_before: Timestamp,
    /// Slots that each of its works takes, out of those of all groups.
    pub slots: usize,
    /// Whether it may take more than the half of all slots that is for those that are not trusted.
    pub is_trusted: bool,
    /// How far apart its works are, and how many may follow each other at once behind a silence;
    /// `None` for as fast as there are slots.
    pub rate: Option<(Duration, u32)>,
    /// Which of its works wait for each other, of those that are stored from now on.
    pub order: Order,
}

/// What one take may have, and what all that is in slots may.
#[derive(Clone, Copy)]
pub(in crate::store) struct Room<'a> {
    /// Most works of this take.
    pub(in crate::store) works: usize,
    /// Most works at a time of a group that has no allowance of its own.
    pub(in crate::store) each: &'a dyn Fn(&Name) -> usize,
    /// Slots of all that are worked on.
    pub(in crate::store) slots: usize,
}

impl<'a> Room<'a> {
    /// For what takes no slots.
    pub(in crate::store) fn of(works: usize, each: &'a dyn Fn(&Name) -> usize) -> Self {
        Self { works, each, slots: usize::MAX }
    }
}

impl Allowance {
    /// So many at a time, and nothing else that holds them back.
    pub fn of(at_a_time: usize) -> Self {
        Self {
            at_a_time,
            not_before: Timestamp(0),
            slots: 1,
            is_trusted: true,
            rate: None,
            order: Order::None,
        }
    }
}

//! Names by number, as long as something has them: where half a million works are named, each is
//! small.
//!
//! Pure. Never gives a number to another name while something has it.

use rustc_hash::FxHashMap;

use crate::ids::Name;

/// Names that something has.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: FxHashMap<Name, u32>,
    /// By number.
    had: Vec<Had>,
    /// Numbers that nothing has.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Had {
    name: Name,
    by: usize,
}

impl Names {
    /// One more has this name: its number.
    pub(super) fn take(&mut self, name: &Name) -> u32 {
        if let Some(number) = self.numbers.get(name).copied() {
            self.had[number as usize].by += 1;
            return number;
        }
        let had = Had { name: name.clone(), by: 1 };
        let number = match self.free.pop() {
            Some(number) => {
                self.had[number as usize] = had;
                number
            }
            None => {
                self.had.push(had);
                u32::try_from(self.had.len() - 1).expect("names are configured, not posted")
            }
        };
        self.numbers.insert(name.clone(), number);
        number
    }

    /// The name with this number, which something has.
    pub(super) fn name(&self, number: u32) -> &Name {
        &self.had[number as usize].name
    }

    /// One that had the name of this number does not any more.
    pub(super) fn give_back(&mut self, number: u32) {
        let had = &mut self.had[number as usize];
        had.by -= 1;
        if had.by == 0 {
            self.numbers.remove(&had.name);
            self.free.push(number);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_until_nothing_has_it() {
        let mut names = Names::default();
        let [one, other, third]: [Name; 3] =
            ["one", "other", "third"].map(|it| it.parse().unwrap());
        let first = names.take(&one);
        let second = names.take(&other);
        assert_eq!(names.take(&one), first);
        assert_ne!(first, second);

        names.give_back(first);
        assert_eq!(names.name(first), &one, "one more has it");
        names.give_back(first);
        assert_eq!(names.take(&third), first, "the number is free");
        assert_eq!((names.name(first), names.name(second)), (&third, &other));
        assert_eq!(names.len(), 2);
    }
}

//! The volumes as a backup has them: how many bytes of each belong to a view, and what they are.
//!
//! Behind those another commit may be writing. Never reads what a frame says.

use std::collections::BTreeMap;
use std::io;

use super::volume::Sort;
use super::{Point, Shown};

impl Shown {
    /// The volumes that can be read, each with how many bytes of it a backup has. `log_to` is where
    /// the log ends for the view, if somebody goes on writing to it; `ends` is where the last
    /// segment ends in each volume that has one.
    pub(in crate::store) fn sizes(
        &self,
        log_to: Option<Point>,
        ends: &BTreeMap<u32, u64>,
    ) -> io::Result<Vec<(u32, u64)>> {
        let packed = self.volumes.values().rfind(|volume| volume.sort == Sort::Packed);
        let filling = packed.map(|volume| volume.number).filter(|_| log_to.is_some());
        let mut sizes = Vec::new();
        for (number, volume) in &self.volumes {
            let size = volume.backend.size()?;
            let head = u64::from(volume.begin());
            let bytes = match (volume.sort, log_to) {
                // Nothing that the rows know lies in it.
                (Sort::Log, Some(to)) if *number > to.volume => continue,
                (Sort::Log, Some(to)) if *number == to.volume => u64::from(to.offset).max(head),
                (Sort::Packed, _) if filling == Some(*number) => {
                    ends.get(number).copied().unwrap_or(head)
                }
                _ => size,
            };
            sizes.push((*number, bytes.min(size)));
        }
        Ok(sizes)
    }

    /// Fills `out` with what stands in a volume from an offset on.
    pub(in crate::store) fn read(
        &self,
        number: u32,
        offset: u64,
        out: &mut [u8],
    ) -> io::Result<()> {
        let volume = self.volumes.get(&number).ok_or(io::ErrorKind::NotFound)?;
        volume.backend.read(offset, out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::super::Volumes;
    use super::*;
    use crate::store::file::backend::Medium;
    use crate::store::file::folder::Folder;

    /// Guards that a backup has nothing of a commit that came after its view.
    #[test]
    fn a_backup_ends_where_the_rows_of_its_view_end() {
        let place = TempDir::new().unwrap();
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(place.path()));
        let volumes = Volumes::open(medium, 5, 1 << 20).unwrap();
        for sort in [Sort::Log, Sort::Packed, Sort::Log, Sort::Packed, Sort::Log] {
            let made = volumes.make(sort).unwrap();
            made.backend.resize(1000).unwrap();
        }
        let shown = volumes.shown();
        let (to, ends) = (Point { volume: 3, offset: 700 }, BTreeMap::from([(2, 90), (4, 300)]));
        let sizes = shown.sizes(Some(to), &ends).unwrap();
        assert_eq!(sizes, [(1, 1000), (2, 1000), (3, 700), (4, 300)]);
        let none = shown.sizes(Some(Point::START), &BTreeMap::new()).unwrap();
        assert_eq!(none, [(2, 1000), (4, 48)]);
        let all = shown.sizes(None, &ends).unwrap();
        assert_eq!(all, [1, 2, 3, 4, 5].map(|number| (number, 1000)));
        assert_eq!(shown.read(9, 0, &mut [0]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

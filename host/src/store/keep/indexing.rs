//! The upkeep of the index: what has no block gets one, small blocks become large ones, and the
//! blocks of what was swept away go.
//!
//! Reads aside, a part at a time, and has the writer write what follows in bounded steps. If the
//! file was opened anew meanwhile, rows that were written may be gone: then it begins again with
//! the next sweep. Never says what a list shows.

use std::sync::Arc;

use crate::store::Store;
use crate::store::error::Error;
use crate::store::index::{Block, IndexChange, Merge, rebuild};
use crate::store::shared::Shared;
use crate::store::write::indexing::WriteIndex;

/// A step writes about so much.
const STEP_BYTES: usize = 256 << 10;

impl Store {
    /// Does all that is due for the index.
    pub(super) async fn tend_index(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let _turn = shared.indexing.lock().await;
        let life = shared.index.life();
        let gone = self.in_background(|shared| shared.index_swept_away()).await?;
        if !self.write_index(life, gone).await? {
            return Ok(());
        }
        for block in shared.index.take_distrusted() {
            let without = self.in_background(move |shared| shared.index_without(block)).await?;
            if !self.write_index(life, without).await? {
                return Ok(());
            }
        }
        while let Some(block) = self.in_background(|shared| shared.index_missing()).await? {
            if !self.write_index(life, block).await? {
                return Ok(());
            }
        }
        loop {
            while let Some(rest) = self.in_background(|shared| shared.index_left_over()).await? {
                if !self.write_index(life, vec![rest]).await? {
                    return Ok(());
                }
            }
            let merge = self.in_background(|shared| shared.index_merge()).await?;
            let Some(merge) = merge else { return Ok(()) };
            if !self.merge_blocks(life, merge).await? {
                return Ok(());
            }
        }
    }

    /// Says whether it was done.
    async fn merge_blocks(&self, life: u64, mut merge: Merge) -> Result<bool, Error> {
        loop {
            let step = move |shared: &Shared| shared.index_step(merge);
            let (later, changes) = match self.in_background(step).await {
                Err(Error::Damaged(block)) => {
                    // The next sweep writes it anew.
                    let look = move |shared: &Shared| shared.index_without(block.position);
                    let without = self.in_background(look).await?;
                    return self.write_index(life, without).await;
                }
                step => step?,
            };
            merge = later;
            let Some(changes) = changes else { break };
            if !self.write_index(life, changes).await? {
                return Ok(false);
            }
        }
        self.write_index(life, merge.switch()).await
    }

    /// Has the writer make these changes; what takes a block into use is the last of them. Says
    /// whether it made all.
    async fn write_index(&self, life: u64, changes: Vec<IndexChange>) -> Result<bool, Error> {
        let (mut step, mut bytes) = (Vec::new(), 0);
        for change in changes {
            bytes += change.bytes();
            step.push(change);
            if bytes >= STEP_BYTES {
                bytes = 0;
                if !self.write_step(life, std::mem::take(&mut step)).await? {
                    return Ok(false);
                }
            }
        }
        if step.is_empty() {
            return Ok(true);
        }
        self.write_step(life, step).await
    }

    async fn write_step(&self, life: u64, changes: Vec<IndexChange>) -> Result<bool, Error> {
        let (shared, changes) = (Arc::clone(&self.handle.shared), changes.into());
        self.ask(|reply| WriteIndex { shared, life, changes, reply }).await
    }
}

impl Shared {
    fn index_swept_away(&self) -> Result<Vec<IndexChange>, Error> {
        Ok(rebuild::swept_away(&self.file.read()?)?)
    }

    fn index_missing(&self) -> Result<Option<Vec<IndexChange>>, Error> {
        let end = self.index.tail_first();
        let view = self.file.read()?;
        let noting = (self.file.tag, &*self.damages);
        Ok(rebuild::missing(&view, end, self.index.block_items(), noting)?)
    }

    fn index_without(&self, first: u64) -> Result<Vec<IndexChange>, Error> {
        Ok(rebuild::without(&self.file.read()?, first)?)
    }

    fn index_left_over(&self) -> Result<Option<IndexChange>, Error> {
        Ok(rebuild::left_over(&self.file.read()?.index()?)?)
    }

    fn index_merge(&self) -> Result<Option<Merge>, Error> {
        let rows = self.file.read()?.index()?;
        Ok(Merge::due(&Block::all(&rows)?))
    }

    fn index_step(&self, mut merge: Merge) -> Result<(Merge, Option<Vec<IndexChange>>), Error> {
        let rows = self.file.read()?.index()?;
        let changes = merge.step(&rows)?;
        Ok((merge, changes))
    }
}

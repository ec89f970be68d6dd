//! `UPLOAD_MEMORY`: how much of all objects together is in memory.
//!
//! One share per upload, taken before the object is made and given back when its try ends. First
//! come, first served, so a large object is not overtaken for ever. A share larger than everything
//! is everything: such an object goes alone.

use super::body::Pool;
use std::io;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counted in steps of this many bytes.
const STEP: u64 = 1024;

/// The memory of all uploads.
#[derive(Debug)]
pub struct Memory {
    steps: Arc<Semaphore>,
    total: u32,
    pool: Arc<Pool>,
}

/// A share of it; given back when dropped.
#[derive(Debug)]
pub struct Share {
    /// How many bytes it stands for; without end if it is everything.
    pub bytes: u64,
    pub(super) pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Memory {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes / STEP).unwrap_or(u32::MAX).max(1);
        Self { steps: Arc::new(Semaphore::new(total as usize)), total, pool: Arc::default() }
    }

    /// Waits for a share of at least `bytes`.
    ///
    /// # Errors
    /// None in practice: the semaphore is never closed.
    pub async fn share(&self, bytes: u64) -> io::Result<Share> {
        let wanted = u32::try_from(bytes.div_ceil(STEP)).unwrap_or(u32::MAX).min(self.total);
        let permit =
            self.steps.clone().acquire_many_owned(wanted).await.map_err(io::Error::other)?;
        let bytes = if wanted == self.total { u64::MAX } else { u64::from(wanted) * STEP };
        Ok(Share { bytes, pool: Arc::clone(&self.pool), _permit: permit })
    }

    /// Frees what is kept for the next upload.
    pub fn rest(&self) {
        self.pool.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_share_waits_until_enough_was_given_back() {
        let memory = Memory::new(10 * 1024);
        let first = memory.share(6 * 1024).await.unwrap();
        let mut second = Box::pin(memory.share(6 * 1024));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(second.await.unwrap().bytes, 6 * 1024);
    }

    #[tokio::test]
    async fn a_share_larger_than_everything_is_everything() {
        let memory = Memory::new(10 * 1024);
        let all = memory.share(u64::MAX).await.unwrap();
        assert_eq!(all.bytes, u64::MAX);
        assert!(memory.share(1).now_or_never().is_none());
    }
}

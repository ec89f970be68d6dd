//! An object's bytes: chunks of 128 KiB that serve one upload after the other.
//!
//! One buffer of the object's size would be asked of the system anew for each object, and what an
//! allocator does with tens of megabytes that come and go is not ours to say. Chunks stay: those
//! that an upload gave back are used by the next, and are freed when no upload is left. A chunk
//! counts against `UPLOAD_MEMORY` until the last holder (the HTTP client may be the last) drops it.

use super::memory::Share;
use crate::base::checksum::{Checksum, Running};
use bytes::Bytes;
use object_store::PutPayload;
use std::io::{self, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes in a chunk: what allocators treat as a small thing.
pub const CHUNK: usize = 128 * 1024 - 64;

/// Chunks that nobody uses at the moment.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Frees the chunks that nobody uses.
    pub fn clear(&self) {
        let free = mem::take(&mut *self.free());
        drop(free);
    }

    fn take(&self) -> Vec<u8> {
        self.free().pop().unwrap_or_else(|| vec![0; CHUNK])
    }

    fn give_back(&self, chunk: Vec<u8>) {
        self.free().push(chunk);
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A chunk on loan; it goes back to its pool when the last holder drops it.
struct Lent {
    chunk: Vec<u8>,
    length: usize,
    share: Arc<Share>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.chunk.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.share.pool.give_back(mem::take(&mut self.chunk));
    }
}

/// A finished object's bytes and their checksum.
#[derive(Debug, Clone)]
pub struct Body {
    /// The bytes, ready to be sent any number of times.
    pub payload: PutPayload,
    /// Of all of them.
    pub checksum: Checksum,
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.payload.content_length() as u64
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        let checksum = Checksum::of(&bytes);
        Self { payload: Bytes::from(bytes).into(), checksum }
    }
}

/// Builds a [`Body`] within a share of `UPLOAD_MEMORY`.
pub struct Builder {
    share: Arc<Share>,
    room: u64,
    whole: Vec<Bytes>,
    last: Vec<u8>,
    filled: usize,
    running: Running,
    length: u64,
    is_full: bool,
}

impl Builder {
    /// Starts an object of at most `room` bytes.
    #[must_use]
    pub fn new(share: Share, room: u64) -> Self {
        let last = share.pool.take();
        let (whole, running) = (Vec::new(), Running::default());
        Self {
            share: Arc::new(share),
            room,
            whole,
            last,
            filled: 0,
            running,
            length: 0,
            is_full: false,
        }
    }

    /// Bytes so far.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Something did not fit.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes all that `input` has, reading into the chunks.
    ///
    /// # Errors
    /// What the input said; `OutOfMemory` beyond the room.
    pub fn read_from(&mut self, mut input: impl Read) -> io::Result<()> {
        loop {
            let room = self.last.get_mut(self.filled..).unwrap_or_default();
            match input.read(room) {
                Ok(0) => return Ok(()),
                Ok(read) => self.note(read)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The object.
    #[must_use]
    pub fn finish(mut self) -> Body {
        self.lend_last();
        Body { payload: self.whole.into_iter().collect(), checksum: self.running.value() }
    }

    /// So many bytes more are in the last chunk.
    fn note(&mut self, more: usize) -> io::Result<()> {
        self.admit(more)?;
        let end = self.filled + more;
        self.running.update(self.last.get(self.filled..end).unwrap_or_default());
        self.filled = end;
        if end == CHUNK {
            self.lend_last();
            self.last = self.share.pool.take();
        }
        Ok(())
    }

    fn admit(&mut self, more: usize) -> io::Result<()> {
        self.length += more as u64;
        self.is_full |= self.length > self.room;
        if self.is_full { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    fn lend_last(&mut self) {
        let (chunk, length) = (mem::take(&mut self.last), mem::take(&mut self.filled));
        let lent = Lent { chunk, length, share: Arc::clone(&self.share) };
        if length > 0 {
            self.whole.push(Bytes::from_owner(lent));
        }
    }
}

impl Write for Builder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.last.get_mut(self.filled..).unwrap_or_default();
        let taken = (&mut *room).write(bytes)?;
        self.note(taken)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;
    use futures_util::FutureExt;

    async fn builder(memory: &Memory, room: u64) -> Builder {
        Builder::new(memory.share(room).await.unwrap(), room)
    }

    fn long() -> Vec<u8> {
        (0..3 * CHUNK + 7).map(|i| i as u8).collect()
    }

    #[tokio::test]
    async fn an_object_is_its_bytes_whether_read_or_written() {
        let memory = Memory::new(1 << 20);
        let bytes = long();
        let mut read = builder(&memory, 1 << 19).await;
        read.read_from(bytes.as_slice()).unwrap();
        let mut written = builder(&memory, 1 << 19).await;
        bytes.chunks(1000).for_each(|part| written.write_all(part).unwrap());
        for body in [read.finish(), written.finish()] {
            assert_eq!(Bytes::from(body.payload.clone()), bytes);
            assert_eq!((body.length(), body.checksum), (bytes.len() as u64, Checksum::of(&bytes)));
        }
    }

    #[tokio::test]
    async fn nothing_beyond_the_room_is_taken() {
        let memory = Memory::new(1 << 20);
        let mut small = builder(&memory, 100).await;
        assert!(small.read_from(&[0; 101][..]).is_err() && small.is_full());
        let mut small = builder(&memory, 100).await;
        assert!(small.write_all(&[0; 101]).is_err() && small.is_full());
    }

    #[tokio::test]
    async fn memory_counts_until_the_last_holder_lets_go_and_chunks_serve_again() {
        let memory = Memory::new(1 << 20);
        let mut first = builder(&memory, 1 << 20).await;
        first.read_from(long().as_slice()).unwrap();
        let body = first.finish();
        let held_by_the_client = body.payload.iter().next().cloned();
        drop(body);
        assert!(memory.share(1).now_or_never().is_none());
        drop(held_by_the_client);
        let share = memory.share(1).await.unwrap();
        assert_eq!(share.pool.free().len(), 4);
        memory.rest();
        assert_eq!(share.pool.free().len(), 0);
    }
}

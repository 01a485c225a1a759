//! Reusable buffers.
//!
//! A dropped buffer is kept for the next request of its thread, so only the first
//! training step allocates memory.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::Element;

/// A cache line. Buffers consist of whole lines so that no vector straddles two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    /// Sorted by length, shortest first.
    static IDLE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Returns a buffer of `len` elements with unspecified values. When dropped, its
/// memory is kept by the thread that drops it.
pub(crate) fn scratch<E: Element>(len: usize) -> Scratch<E> {
    let n_lines = (len * size_of::<E>()).div_ceil(size_of::<Line>());
    let mut lines = IDLE.with_borrow_mut(|idle| {
        // The shortest buffer that is long enough, else the longest.
        let best = idle.partition_point(|lines| lines.len() < n_lines);
        if best < idle.len() { idle.remove(best) } else { idle.pop().unwrap_or_default() }
    });
    if lines.len() < n_lines {
        // Fresh zeroed memory costs nothing until it is touched; growing would copy.
        lines = vec![Line([0; 64]); n_lines];
    }
    Scratch { lines, len, element: PhantomData }
}

/// A reusable buffer of elements, aligned to a cache line.
pub(crate) struct Scratch<E: Element> {
    lines: Vec<Line>,
    len: usize,
    element: PhantomData<E>,
}

impl<E: Element> Scratch<E> {
    /// The same buffer with every element set to zero.
    pub(crate) fn zeroed(mut self) -> Self {
        self.fill(E::default());
        self
    }
}

impl<E: Element> std::fmt::Debug for Scratch<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scratch({} elements)", self.len)
    }
}

impl<E: Element> Deref for Scratch<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        // SAFETY: `lines` owns at least `len * size_of::<E>()` initialised
        // bytes, its alignment of 64 exceeds that of any `Element`, and every
        // bit pattern is an `Element`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<E: Element> DerefMut for Scratch<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        // SAFETY: as for `deref`; `&mut self` makes the borrow unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<E: Element> Drop for Scratch<E> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that is exiting keeps nothing.
        let _ = IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            let idx = idle.partition_point(|other| other.len() < lines.len());
            idle.insert(idx, lines);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_memory_is_reused() {
        let first = scratch::<f32>(1000);
        let at = first.as_ptr();
        assert_eq!(at as usize % 64, 0);
        drop(first);
        assert_eq!(scratch::<f32>(900).as_ptr(), at);
    }

    #[test]
    fn the_smallest_buffer_that_fits_is_reused() {
        let (small, large) = (scratch::<f32>(64), scratch::<f32>(4096));
        let at = small.as_ptr();
        drop((large, small));
        assert_eq!(scratch::<f32>(32).as_ptr(), at);
    }

    #[test]
    fn zeroed_memory_is_zero_and_has_the_requested_length() {
        scratch::<f32>(70).fill(1.0);
        let zeroed = scratch::<f32>(70).zeroed();
        assert_eq!(zeroed.len(), 70);
        assert!(zeroed.iter().all(|v| *v == 0.0));
        assert!(scratch::<f32>(0).is_empty());
    }
}

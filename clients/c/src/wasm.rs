//! What a WebAssembly module without a standard library needs: an allocator, an end for panics, and memory for the host.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use alloc::alloc::{alloc, dealloc};
use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size, unreachable},
    cell::UnsafeCell,
    panic::PanicInfo,
    ptr,
};

/// The least block, and the alignment of every block.
const ALIGN: usize = 16;
/// Sizes are powers of two from 16 bytes to 2^31.
const CLASSES: usize = 28;
/// A page of linear memory.
const PAGE: usize = 65_536;

/// Blocks of powers of two, each size with a list of those that were given back. Never merged: a verifier asks for the same
/// few sizes again and again, so memory grows to the largest update and no further.
struct Blocks(UnsafeCell<State>);

struct State {
    /// The first free block of each size; its first word points to the next.
    free: [*mut u8; CLASSES],
    /// Memory that was never handed out: from here,
    next: usize,
    /// to here.
    end: usize,
}

#[global_allocator]
static BLOCKS: Blocks = Blocks(UnsafeCell::new(State {
    free: [ptr::null_mut(); CLASSES],
    next: 0,
    end: 0,
}));

// SAFETY: wasm32v1-none has no threads.
unsafe impl Sync for Blocks {}

/// The size class of a request and the size of its blocks.
fn class(layout: Layout) -> Option<(usize, usize)> {
    if layout.align() > ALIGN {
        return None;
    }
    let size = layout.size().max(ALIGN).checked_next_power_of_two()?;
    let class = size.trailing_zeros().checked_sub(ALIGN.trailing_zeros())?;
    Some((usize::try_from(class).ok()?, size))
}

impl State {
    /// A block that was never used before.
    fn fresh(&mut self, size: usize) -> Option<*mut u8> {
        if self.end.checked_sub(self.next)? < size {
            let pages = size.div_ceil(PAGE);
            let old = memory_size::<0>().checked_mul(PAGE)?;
            if memory_grow::<0>(pages) == usize::MAX {
                return None;
            }
            if old != self.end {
                self.next = old;
            }
            self.end = old.checked_add(pages.checked_mul(PAGE)?)?;
        }
        let block = self.next;
        self.next = block.checked_add(size)?;
        Some(ptr::with_exposed_provenance_mut(block))
    }
}

// SAFETY: blocks do not overlap: a fresh one lies behind all others, and one from a list was given back. They are as large as
// asked and aligned to 16 bytes, for pages are and all sizes are multiples of 16.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((class, size)) = class(layout) else {
            return ptr::null_mut();
        };
        // SAFETY: there are no threads, and nothing that runs while this reference lives allocates.
        let state = unsafe { &mut *self.0.get() };
        let Some(first) = state.free.get_mut(class) else {
            return ptr::null_mut();
        };
        if first.is_null() {
            return state.fresh(size).unwrap_or(ptr::null_mut());
        }
        let block = *first;
        // SAFETY: a block of a list is free, aligned, and begins with the next one's address.
        *first = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: there are no threads, and nothing that runs while this reference lives allocates.
        let state = unsafe { &mut *self.0.get() };
        let first = class(layout).and_then(|(class, _)| state.free.get_mut(class));
        if let Some(first) = first {
            // SAFETY: the block has at least 16 bytes, is aligned, and is its owner's no more.
            unsafe { block.cast::<*mut u8>().write(*first) };
            *first = block;
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unreachable()
}

fn layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.max(1), ALIGN).ok()
}

/// Memory for the host's arguments and results, aligned to 16 bytes; null if there is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn touchstone_alloc(len: usize) -> *mut u8 {
    // SAFETY: the size is not 0.
    layout(len).map_or(ptr::null_mut(), |layout| unsafe { alloc(layout) })
}

/// Gives memory back.
///
/// # Safety
/// It came from [`touchstone_alloc`] with the same length, and is not used again.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn touchstone_dealloc(block: *mut u8, len: usize) {
    if let Some(layout) = layout(len).filter(|_| !block.is_null()) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(block, layout) };
    }
}

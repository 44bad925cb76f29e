//! One account of the input.

use core::{marker::PhantomData, slice};

use touchstone_solana::{AccountView, Address};

// Where the fields of a serialized account are, from its first byte.
const SIGNER_AND_MORE: usize = 8;
const WRITABLE: usize = 2;
const ADDRESS: usize = SIGNER_AND_MORE;
const OWNER: usize = 40;
pub(crate) const LAMPORTS: usize = 72;
const DATA_LEN: usize = 80;
pub(crate) const DATA: usize = 88;
/// How much an account may grow; the space is reserved behind its data.
const GROWTH: usize = 10_240;
const RENT_EPOCH_BYTES: usize = 8;

/// An account that was given to the program. The value is the one way to its memory: the input holds each account once.
pub struct Account<'a> {
    start: *mut u8,
    input: PhantomData<&'a mut [u8]>,
}

impl Account<'_> {
    /// # Safety
    /// At `start`, aligned to 8 bytes, the runtime has serialized an account that is no duplicate, and no other value stands
    /// for it during `'a`.
    pub(crate) unsafe fn new(start: *mut u8) -> Self {
        Self {
            start,
            input: PhantomData,
        }
    }

    /// Whether the transaction allows it to be written.
    #[inline(always)]
    pub fn is_writable(&self) -> bool {
        // SAFETY: the flag lies inside of the serialized account.
        let flag = unsafe { self.start.add(WRITABLE) };
        // SAFETY: as above; no reference to it exists that could write it.
        unsafe { flag.read() != 0 }
    }

    /// Its address.
    #[inline(always)]
    pub fn address(&self) -> &Address {
        // SAFETY: the 32 bytes lie inside of the serialized account and never change.
        unsafe { &*self.at(ADDRESS).cast() }
    }

    /// The program that owns it.
    #[inline(always)]
    pub fn owner(&self) -> &Address {
        // SAFETY: the 32 bytes lie inside of the serialized account. The runtime changes them while another program is called,
        // which takes this value by a mutable reference: so none to the old owner is left.
        unsafe { &*self.at(OWNER).cast() }
    }

    /// Its data.
    #[inline(always)]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the runtime keeps the length of the data in front of it, up to date after each call of another program; it
        // changes neither at any other time.
        unsafe { slice::from_raw_parts(self.at(DATA), self.data_len()) }
    }

    /// Its data, to be written. The runtime refuses the transaction if the account is not the program's to write.
    #[inline(always)]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `data`; `self` is borrowed mutably, and no other value stands for the account.
        unsafe { slice::from_raw_parts_mut(self.at(DATA), self.data_len()) }
    }

    /// What a reader of prices asks for.
    #[inline(always)]
    pub fn view(&self) -> AccountView<'_> {
        AccountView {
            address: self.address(),
            owner: self.owner(),
            data: self.data(),
        }
    }

    /// The byte at an offset inside of the serialized account.
    #[inline(always)]
    pub(crate) fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= DATA);
        // SAFETY: a serialized account has at least its fixed fields, and all offsets asked for are of these.
        unsafe { self.start.add(offset) }
    }

    #[inline(always)]
    pub(crate) fn data_len(&self) -> usize {
        // SAFETY: the length lies inside of the serialized account at a multiple of 8.
        let len = unsafe { self.at(DATA_LEN).cast::<u64>().read() };
        len as usize // both have 64 bits on this machine
    }

    /// The first byte behind the serialized account.
    ///
    /// # Safety
    /// To be called before any other program is called: the room was made for the length that the data had then.
    #[inline(always)]
    pub(crate) unsafe fn end(&self) -> *mut u8 {
        let len = DATA + self.data_len() + GROWTH;
        let aligned = len.next_multiple_of(8) + RENT_EPOCH_BYTES;
        // SAFETY: this is how the runtime lays out the input; what follows is the next account or the instruction's data.
        unsafe { self.start.add(aligned) }
    }
}

//! The input: accounts, instruction data and the program's own address.

use core::{mem::MaybeUninit, slice};

use touchstone_solana::{Address, Error};

use crate::{Account, Failure};

/// More accounts than this are refused.
pub const MAX_ACCOUNTS: usize = 16;
const NOT_A_DUPLICATE: u8 = 0xff;

/// One instruction to be processed.
pub struct Call<'a> {
    /// The program's own address.
    pub program: &'a Address,
    /// The accounts, each one different.
    pub accounts: &'a mut [Account<'a>],
    /// The instruction's data.
    pub data: &'a [u8],
}

/// Processes the input and says what came of it.
///
/// # Safety
/// `input` is what the runtime passed to the program's entrypoint, and nothing else uses it: `count u64 | accounts | length
/// u64 | data | program (32)`, native byte order. The runtime serializes an account that is given twice as its first place, so
/// two accounts would be one piece of memory; this is refused.
#[inline(always)]
pub unsafe fn run(input: *mut u8, process: fn(Call<'_>) -> Result<(), Failure>) -> u64 {
    let mut accounts = [const { MaybeUninit::uninit() }; MAX_ACCOUNTS];
    // SAFETY: passed on to the caller.
    let result = unsafe { parse(input, &mut accounts) }.and_then(process);
    match result {
        Ok(()) => 0,
        Err(failure) => failure.code(),
    }
}

#[inline(always)]
unsafe fn parse<'a>(
    input: *mut u8,
    slots: &'a mut [MaybeUninit<Account<'a>>; MAX_ACCOUNTS],
) -> Result<Call<'a>, Failure> {
    // SAFETY: the input begins with the number of accounts.
    let count = unsafe { input.cast::<u64>().read() } as usize;
    // SAFETY: the first account follows, or what is behind all of them.
    let mut at = unsafe { input.add(8) };
    let slots = slots.get_mut(..count).ok_or(Error::AccountCount)?;
    for slot in slots.iter_mut() {
        // SAFETY: `at` points at the first byte of one of `count` accounts.
        if unsafe { at.read() } != NOT_A_DUPLICATE {
            return Err(Error::DuplicateAccount.into());
        }
        // SAFETY: an account of its own begins here, and this is the one value made for it. All lengths before it are
        // multiples of 8, and so is the address of the input.
        let account = slot.write(unsafe { Account::new(at) });
        // SAFETY: no other program has been called yet.
        at = unsafe { account.end() };
    }
    // SAFETY: the first `count` slots were written, each one in the loop above, and the types have the same layout.
    let accounts =
        unsafe { &mut *(slots as *mut [MaybeUninit<Account<'a>>] as *mut [Account<'a>]) };
    // SAFETY: behind the accounts is the length of the data.
    let len = unsafe { at.cast::<u64>().read() } as usize;
    // SAFETY: then the data.
    let data = unsafe { at.add(8) };
    // SAFETY: the program's address follows at once.
    let program = unsafe { data.add(len) };
    // SAFETY: the data has this length and never changes.
    let data = unsafe { slice::from_raw_parts(data, len) };
    // SAFETY: the address has 32 bytes, needs no alignment and never changes.
    let program = unsafe { &*program.cast() };
    Ok(Call {
        program,
        accounts,
        data,
    })
}

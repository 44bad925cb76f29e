//! The syscalls, each one as a safe function.

use core::mem::{MaybeUninit, transmute};

use touchstone_solana::{Address, Hash};

use crate::{
    Failure,
    cpi::{Info, Instruction, Signer},
};

/// A list of `&[u8]`. The runtime takes the layout that the compiler gives them, address and length, as Solana's own SDK does.
#[repr(C)]
pub(crate) struct Slices {
    first: [u64; 2],
}

/// Declares syscalls. A syscall is a call of the address that is the hash of its name, which the linker turns into what the
/// runtime's loader resolves. (It does not do so with plain `extern` functions, whose arguments it drops.)
macro_rules! syscalls {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            /// # Safety
            /// The arguments are what the runtime says.
            #[inline(always)]
            unsafe fn $name($($arg: $type),*) -> $result {
                const NUMBER: usize = murmur3(stringify!($name)) as usize;
                // SAFETY: to this machine such a number is a function of this type.
                let call: unsafe extern "C" fn($($type),*) -> $result = unsafe { transmute(NUMBER) };
                // SAFETY: passed on to the caller.
                unsafe { call($($arg),*) }
            }
        )*
    };
}

syscalls! {
    fn abort() -> ();
    fn sol_sha256(parts: *const Slices, len: u64, hash: *mut Hash) -> u64;
    fn sol_get_clock_sysvar(clock: *mut Clock) -> u64;
    fn sol_curve_group_op(
        curve: u64,
        operation: u64,
        left: *const [u8; 32],
        right: *const [u8; 32],
        result: *mut [u8; 32]
    ) -> u64;
    fn sol_try_find_program_address(
        seeds: *const Slices,
        len: u64,
        program: *const Address,
        address: *mut Address,
        bump: *mut u8
    ) -> u64;
    fn sol_invoke_signed_c(
        instruction: *const Instruction,
        accounts: *const Info,
        accounts_len: u64,
        signers: *const Signer,
        signers_len: u64
    ) -> u64;
    fn sol_set_return_data(data: *const u8, len: u64) -> ();
}

/// MurmurHash3_x86_32 with seed 0, by which the loader knows syscalls.
const fn murmur3(name: &str) -> u32 {
    const fn mix(block: u32) -> u32 {
        block
            .wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    }
    let (mut blocks, mut rest) = name.as_bytes().as_chunks::<4>();
    let mut hash = 0u32;
    while let [block, others @ ..] = blocks {
        hash ^= mix(u32::from_le_bytes(*block));
        hash = hash
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
        blocks = others;
    }
    let mut tail = 0;
    while let [others @ .., byte] = rest {
        tail = tail << 8 | *byte as u32;
        rest = others;
    }
    hash ^= mix(tail) ^ name.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

// As the runtime's own table has it.
const _: () = assert!(murmur3("sol_log_") == 0x2075_59bd && murmur3("abort") == 0xb6fc_1a11);

/// The Clock sysvar.
#[repr(C)]
struct Clock {
    slot: u64,
    epoch_start_timestamp: i64,
    epoch: u64,
    leader_schedule_epoch: u64,
    unix_timestamp: i64,
}

const CURVE25519_EDWARDS: u64 = 0;
const MULTIPLY: u64 = 2;

/// Ends the transaction.
pub(crate) fn end() -> ! {
    // SAFETY: it takes nothing.
    unsafe { abort() };
    // It does not come back; if it did, this would run until the units are used up.
    #[expect(clippy::empty_loop, reason = "there is nothing else to do")]
    loop {}
}

/// SHA-256 of the concatenation of the parts.
#[inline(always)]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = MaybeUninit::<Hash>::uninit();
    // SAFETY: the list is one of slices, see `Slices`; `hash` has room for 32 bytes. The syscall returns 0 or
    // ends the transaction.
    unsafe { sol_sha256(parts.as_ptr().cast(), parts.len() as u64, hash.as_mut_ptr()) };
    // SAFETY: it has been written.
    unsafe { hash.assume_init() }
}

/// The cluster's time in Unix seconds.
///
/// # Errors
/// What the runtime returns; it does not.
pub fn clock_unix_timestamp() -> Result<i64, Failure> {
    let mut clock = MaybeUninit::<Clock>::uninit();
    // SAFETY: `clock` has room for the sysvar.
    Failure::check(unsafe { sol_get_clock_sysvar(clock.as_mut_ptr()) })?;
    // SAFETY: it has been written, and every bit pattern is a clock.
    Ok(unsafe { clock.assume_init() }.unix_timestamp)
}

/// The scalar (little-endian, reduced) times the point on the Edwards curve of Curve25519, compressed; `None` if either is none.
pub fn multiply(scalar: &[u8; 32], point: &[u8; 32]) -> Option<[u8; 32]> {
    let mut product = [0; 32];
    // SAFETY: all three are 32 bytes.
    let returned =
        unsafe { sol_curve_group_op(CURVE25519_EDWARDS, MULTIPLY, scalar, point, &mut product) };
    (returned == 0).then_some(product)
}

/// The program address of the seeds, with the highest bump that gives one.
///
/// # Errors
/// What the runtime returns if there is none.
pub fn find_program_address(seeds: &[&[u8]], program: &Address) -> Result<(Address, u8), Failure> {
    let (mut address, mut bump) = ([0; 32], 0);
    // SAFETY: the list is one of slices, see `Slices`; the others have room for what is written.
    Failure::check(unsafe {
        sol_try_find_program_address(
            seeds.as_ptr().cast(),
            seeds.len() as u64,
            program,
            &mut address,
            &mut bump,
        )
    })?;
    Ok((address, bump))
}

/// # Safety
/// All pointers are valid for what they are said to point at, in number and recursively; the account's own are those that the
/// runtime passed, and no reference into the account is alive.
pub(crate) unsafe fn invoke_signed(
    instruction: *const Instruction,
    accounts: *const Info,
    accounts_len: u64,
    signers: *const Signer,
    signers_len: u64,
) -> Result<(), Failure> {
    // SAFETY: passed on to the caller.
    Failure::check(unsafe {
        sol_invoke_signed_c(instruction, accounts, accounts_len, signers, signers_len)
    })
}

/// Hands bytes, at most 1,024, to whoever called the program.
pub fn set_return_data(data: &[u8]) {
    // SAFETY: the slice is valid and only read.
    unsafe { sol_set_return_data(data.as_ptr(), data.len() as u64) }
}

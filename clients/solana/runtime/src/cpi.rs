//! The one thing that is asked of another program: the system program makes a program address an account of ours.

use touchstone_solana::{Address, Error};

use crate::{
    Account, Failure,
    account::{DATA, LAMPORTS},
    syscalls::{self, Slices},
};

const SYSTEM_PROGRAM: Address = [0; 32];
const ALLOCATE: u32 = 8;
const ASSIGN: u32 = 1;

// The C form of an instruction and of accounts, as the runtime reads it.

#[repr(C)]
pub(crate) struct Instruction {
    program: *const Address,
    accounts: *const Meta,
    accounts_len: u64,
    data: *const u8,
    data_len: u64,
}

#[repr(C)]
struct Meta {
    address: *const Address,
    is_writable: bool,
    is_signer: bool,
}

#[repr(C)]
pub(crate) struct Info {
    address: *const Address,
    lamports: *mut u8,
    data_len: u64,
    data: *mut u8,
    owner: *const Address,
    rent_epoch: u64,
    is_signer: bool,
    is_writable: bool,
    executable: bool,
}

/// A list of seeds that signs for the address that they give.
#[repr(C)]
pub(crate) struct Signer {
    seeds: *const Slices,
    len: u64,
}

/// Makes a new account of `bytes` zeros, owned by `program`, at the program address that the seeds give, and returns the
/// address's bump. Lamports are not moved: the account must hold its rent by the end of the transaction.
///
/// It is done by `Allocate` and `Assign` and not by `CreateAccount`, which refuses an address that holds lamports: anybody could
/// send some there first.
///
/// # Errors
/// [`Error::WrongAddress`], [`Error::Exists`], or what the system program says.
pub fn create_account(
    account: &mut Account<'_>,
    seeds: [&[u8]; 3],
    bytes: usize,
    program: &Address,
) -> Result<u8, Failure> {
    let (address, bump) = syscalls::find_program_address(&seeds, program)?;
    if *account.address() != address {
        return Err(Error::WrongAddress.into());
    }
    if *account.owner() != SYSTEM_PROGRAM {
        return Err(Error::Exists.into());
    }
    let [a, b, c] = seeds;
    let seeds: [&[u8]; 4] = [a, b, c, &[bump]];
    let mut allocate = [0; 12];
    allocate[..4].copy_from_slice(&ALLOCATE.to_le_bytes());
    allocate[4..].copy_from_slice(&(bytes as u64).to_le_bytes());
    invoke_system(&allocate, account, &seeds)?;
    let mut assign = [0; 36];
    assign[..4].copy_from_slice(&ASSIGN.to_le_bytes());
    assign[4..].copy_from_slice(program);
    invoke_system(&assign, account, &seeds)?;
    Ok(bump)
}

/// Calls the system program with one account, for which the seeds sign.
fn invoke_system(
    data: &[u8],
    account: &mut Account<'_>,
    seeds: &[&[u8]; 4],
) -> Result<(), Failure> {
    let address: *const Address = account.address();
    let owner: *const Address = account.owner();
    let meta = Meta {
        address,
        is_writable: true,
        is_signer: true,
    };
    let instruction = Instruction {
        program: &SYSTEM_PROGRAM,
        accounts: &meta,
        accounts_len: 1,
        data: data.as_ptr(),
        data_len: data.len() as u64,
    };
    let info = Info {
        address,
        lamports: account.at(LAMPORTS),
        data_len: account.data_len() as u64,
        data: account.at(DATA),
        owner,
        rent_epoch: 0,
        is_signer: false,
        is_writable: true,
        executable: false,
    };
    let signer = Signer {
        seeds: seeds.as_ptr().cast(),
        len: seeds.len() as u64,
    };
    // SAFETY: everything lives until the call returns. It writes the owner, the lamports, the length and the data of the
    // account, at the places that the runtime chose itself, while `account` is borrowed mutably and no reference into it lives.
    unsafe { syscalls::invoke_signed(&instruction, &info, 1, &signer, 1) }
}

//! What the Solana runtime gives a program: its input, and the syscalls that Touchstone's programs make.
//!
//! This is the only crate with unsafe code. It stands in for Solana's own SDK, which does not build for the compiler's
//! own target `bpfel-unknown-none`; what it does not need it does not have. Sources: the runtime's
//! `solana-program-runtime/src/serialization.rs` (input, aligned form), `solana-program-runtime/src/cpi.rs` (calls of other
//! programs, C form) and `solana-syscalls/src/lib.rs`, of version 4.2.
#![no_std]

mod account;
mod cpi;
mod input;
mod syscalls;

pub use account::Account;
pub use cpi::create_account;
pub use input::{Call, MAX_ACCOUNTS, run};
pub use syscalls::{clock_unix_timestamp, find_program_address, multiply, set_return_data, sha256};

use touchstone_solana::Error;

/// What a program returns to the runtime: 0, or the number of an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure(u64);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(u64::from(error.number()))
    }
}

impl Failure {
    /// What a syscall returned.
    pub(crate) fn check(returned: u64) -> Result<(), Self> {
        match returned {
            0 => Ok(()),
            code => Err(Self(code)),
        }
    }

    /// For the runtime.
    pub(crate) fn code(self) -> u64 {
        self.0
    }
}

/// Makes a function `fn(Call) -> Result<(), Failure>` the program's entrypoint.
#[macro_export]
macro_rules! entrypoint {
    ($process:path) => {
        /// Called by the runtime with the serialized input.
        ///
        /// # Safety
        /// Only the runtime may call it, with its own input.
        #[unsafe(no_mangle)]
        #[cfg(target_arch = "bpf")]
        pub unsafe extern "C" fn entrypoint(input: *mut u8) -> u64 {
            // SAFETY: the runtime calls this once, with the input that `run` asks for.
            unsafe { $crate::run(input, $process) }
        }

        /// A panic ends the transaction. There is no message: what can be refused is refused with an error.
        #[cfg(target_arch = "bpf")]
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            $crate::abort()
        }
    };
}

/// Ends the transaction.
pub fn abort() -> ! {
    syscalls::end()
}

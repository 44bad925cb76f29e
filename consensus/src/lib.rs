//! One oracle round as a sans-IO state machine.
//!
//! [`Core`] is called, not run: `handle(now, input)` returns what to do, `deadline()` says when to call again. It reads no
//! clock, opens no socket, holds no secret and sees only messages that were checked. Because a member is a value that can be
//! stepped, simulator, fuzzer and network drive the very same code. The protocol is in `docs/protocol.md`; [`Rule`] lists its
//! numbered rules.
//!
//! ```text
//! bytes --Message::from_bytes--> Unverified --Verifier--> Verified<Message> --Core::handle--> Step { effects, faults }
//!                                                              Effect::Send(draft) --keys::seal--> Signed --> peers, and Input::Own
//! ```

mod core;
mod coverage;
pub mod keys;
mod message;
mod pace;
mod params;
mod proof;
mod round;
mod scheme;
mod seen;
mod step;
mod verify;
mod wire;

pub use self::{
    core::{Core, Setup},
    coverage::{Coverage, Rule},
    message::{Content, Decision, Message, NO_COORDINATOR, Reply, Signed, Signer},
    params::{Params, ParamsError, Rules, Sound},
    proof::{Lock, LockProof, Qc, Standing, Tc, Value, ValueSession},
    scheme::{Election, FrostSuite, GroupSignatures, Scheme, SchemeError},
    step::{Closing, Draft, Effect, Fault, FaultKind, Input, NonceUse, Now, Position, Step, To},
    verify::{Refusal, Verifier},
};

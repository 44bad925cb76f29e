//! End-to-end stories: whole networks in processes of their own, over real sockets on loopback, nothing replaced.
//!
//! Each story takes the machine for itself, so that its times mean something.

mod api;
mod evidence;
mod fabricated;
mod liar;
mod members;
mod net;
mod prices;
mod resume;
mod strangers;
mod suites;

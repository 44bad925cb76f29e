//! Observers of all members, at their real addresses.

use std::{fmt, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use touchstone_transport::{
    LinkTiming, ObserverClient, ObserverClientConfig, ObserverEvent, PublicKey, TlsIdentity,
};
use touchstone_types::Pin;

use super::{Member, Record, machine::unix_us};

/// The subscriptions; they end when this is dropped.
pub(super) struct Observers {
    _clients: Vec<ObserverClient>,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers").finish_non_exhaustive()
    }
}

/// Begins to record what every member attests.
pub(super) fn follow(
    pin: &Pin,
    members: &[Member],
    record: &Arc<Record>,
) -> anyhow::Result<Observers> {
    let identity = Arc::new(TlsIdentity::ephemeral()?);
    let (mut clients, mut tasks) = (Vec::new(), JoinSet::new());
    for (member, entry) in members.iter().zip(&pin.genesis_manifest.members) {
        let key = PublicKey(entry.identity.0);
        let from = pin.genesis_manifest.first_round;
        let mut config =
            ObserverClientConfig::new(member.seat().real, key, Arc::clone(&identity), from);
        config.evidence = true;
        // On loopback nobody is to be spared.
        config.timing = LinkTiming {
            keep_alive: Duration::from_millis(250),
            idle_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(1),
            backoff_max: Duration::from_millis(200),
            ..LinkTiming::default()
        };
        let (client, mut events) = ObserverClient::connect(config)?;
        clients.push(client);
        let (record, id) = (Arc::clone(record), usize::from(member.id()));
        tasks.spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    ObserverEvent::Item(item) => record.note(id, &item, unix_us()),
                    ObserverEvent::Evidence(item) => record.accuse(id, &item),
                    ObserverEvent::Connected | ObserverEvent::Disconnected { .. } => {}
                }
            }
        });
    }
    Ok(Observers {
        _clients: clients,
        _tasks: tasks,
    })
}

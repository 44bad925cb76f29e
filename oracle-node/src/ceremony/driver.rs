//! Runs a [`Ceremony`] over the mesh and writes its result.

use std::{
    fs,
    io::{IsTerminal as _, stderr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rand_core::OsRng;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use touchstone_crypto::IdentityKey;
use touchstone_transport::{
    FrameKind, FrameLimits, Mesh, MeshConfig, MeshEvent, MeshEvents, MeshLimits, Outgoing,
    TlsIdentity,
};
use touchstone_types::{Manifest, MemberId, Round};

use super::{Action, Ceremony, FRAME_BYTES_MAX, Said, Stage, pin_bytes};
use crate::{
    config::Config,
    files::{DirLock, draft_path, publish_draft, refuse_existing, write_draft},
    keys::{NodePassword, ShareHeader, seal_shares},
    network::{self, Network},
};

/// The kind of every frame of a key generation; a running node speaks none of it.
const KIND: FrameKind = FrameKind(200);
/// How long a member that has finished waits for the others to say so, too.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the last words may be on their way.
const LAST_WORDS: Duration = Duration::from_millis(300);
const PROGRESS_PERIOD: Duration = Duration::from_secs(2);

/// What a key generation is run with.
pub(crate) struct CeremonySetup {
    pub(crate) config: Config,
    pub(crate) manifest: Manifest,
    pub(crate) identity: IdentityKey,
    pub(crate) password: NodePassword,
}

/// Generates the keys and writes `share.key` and `network.json`; gives the network.
pub(crate) async fn run(setup: CeremonySetup, stop: CancellationToken) -> anyhow::Result<Network> {
    let paths = &setup.config.paths;
    let _lock = DirLock::of_dir_of(&paths.share_key)?;
    refuse_existing(&paths.share_key)?;
    refuse_existing(&paths.network)?;
    if Network::load(&draft_path(&paths.network)).is_ok() {
        bail!(
            "an earlier run was interrupted when it was all but done: if the other members have finished, run `oracle-node dkg` \
             with --finish; otherwise all members start again after {} is removed here",
            draft_path(&paths.network).display()
        );
    }
    let identity = Arc::new(setup.identity);
    let ceremony = Ceremony::new(setup.manifest.clone(), Arc::clone(&identity), OsRng)?;
    let (mesh, events) = Mesh::bind(MeshConfig {
        me: ceremony.me(),
        identity: Arc::new(TlsIdentity::from_pkcs8(&identity.tls_pkcs8())?),
        members: network::endpoints(&setup.manifest).await,
        listen: setup.config.link.listen,
        frames: FrameLimits::new([(KIND, u32::try_from(FRAME_BYTES_MAX)?)])?,
        limits: MeshLimits::default(),
        timing: setup.config.link_timing(),
        observers: None,
    })?;
    let mut driver = Driver {
        share_key: paths.share_key.clone(),
        network: paths.network.clone(),
        manifest: setup.manifest,
        password: setup.password,
        ceremony,
        mesh,
        told: None,
    };
    let result = driver.drive(events, &stop).await;
    if result.is_ok() {
        sleep(LAST_WORDS).await;
    } else if !driver.ceremony.has_staged() {
        driver.remove_drafts();
    }
    driver.mesh.shutdown().await;
    result
}

struct Driver {
    share_key: PathBuf,
    network: PathBuf,
    manifest: Manifest,
    password: NodePassword,
    ceremony: Ceremony<OsRng>,
    mesh: Mesh,
    told: Option<(Stage, Vec<MemberId>)>,
}

impl Driver {
    async fn drive(
        &mut self,
        mut events: MeshEvents,
        stop: &CancellationToken,
    ) -> anyhow::Result<Network> {
        self.send(None, &self.ceremony.hello())?;
        let mut progress = interval(PROGRESS_PERIOD);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut patience: Option<Instant> = None;
        loop {
            let far = Instant::now() + Duration::from_secs(3_600);
            let event = tokio::select! {
                () = stop.cancelled() => match self.ceremony.stage() {
                    Stage::Done => break,
                    _ if self.ceremony.has_staged() => bail!(
                        "interrupted when it was all but done: if the other members finish, run `oracle-node dkg` with --finish"
                    ),
                    _ => bail!("interrupted before the keys were generated; nothing was written"),
                },
                event = timeout_at(patience.unwrap_or(far), events.recv()) => event,
                _ = progress.tick() => {
                    self.tell();
                    continue;
                }
            };
            let event = match event {
                // Whoever is still missing holds everything and finishes alone.
                Err(_) if patience.is_some() => break,
                Err(_) => continue,
                Ok(None) => bail!("the links were closed"),
                Ok(Some(event)) => event,
            };
            let MeshEvent::Frame(frame) = event else {
                continue;
            };
            let said = match Said::from_bytes(&frame.bytes) {
                Ok(said) => said,
                Err(error) => {
                    tracing::warn!(member = %frame.from, %error, "refused a message");
                    continue;
                }
            };
            let actions = self.ceremony.handle(frame.from, said)?;
            if self.act(actions)? {
                break;
            }
            if patience.is_none() && self.ceremony.stage() == Stage::Done {
                patience = Some(Instant::now() + FAREWELL);
            }
        }
        let (network, ..) = self
            .ceremony
            .result()
            .context("the key generation has no result")?;
        Ok(network.clone())
    }

    /// Carries out actions and whatever follows from them; true at the end.
    fn act(&mut self, actions: Vec<Action>) -> anyhow::Result<bool> {
        let mut left = std::collections::VecDeque::from(actions);
        while let Some(action) = left.pop_front() {
            match action {
                Action::Send(to, said) => self.send(to, &said)?,
                Action::Begin => {
                    self.mesh.release_where(|_| true);
                    self.remove_drafts();
                    self.send(None, &self.ceremony.hello())?;
                }
                Action::Stage => {
                    self.stage()?;
                    left.extend(self.ceremony.staged()?);
                }
                Action::Commit => {
                    publish_draft(&draft_path(&self.share_key), &self.share_key)?;
                    publish_draft(&draft_path(&self.network), &self.network)?;
                    left.extend(self.ceremony.committed());
                }
                Action::Leave => return Ok(true),
            }
        }
        Ok(false)
    }

    fn send(&self, to: Option<MemberId>, said: &Said) -> anyhow::Result<()> {
        let frame = Outgoing::retained(KIND, Round(0), said.to_bytes());
        match to {
            Some(member) => self.mesh.send(member, frame)?,
            None => self.mesh.broadcast(&frame)?,
        }
        Ok(())
    }

    /// Writes both results under provisional names.
    fn stage(&self) -> anyhow::Result<()> {
        let (network, shares, coin) = self.ceremony.result().context("nothing to write yet")?;
        let header = ShareHeader {
            network_id: network.id(),
            epoch: network.manifest().epoch,
            member: self.ceremony.me(),
            record: network.record().digest(),
        };
        let sealed = seal_shares(&self.share_key, &header, shares, coin, &self.password)?;
        write_draft(&self.share_key, &sealed, 0o600)?;
        write_draft(&self.network, &pin_bytes(network.pin()), 0o644)?;
        Ok(())
    }

    fn remove_drafts(&self) {
        for path in [&self.share_key, &self.network] {
            // Usually there is none.
            let _ = fs::remove_file(draft_path(path));
        }
    }

    /// Tells a person what is going on, when it has changed.
    fn tell(&mut self) {
        let now = (self.ceremony.stage(), self.ceremony.waiting_for());
        if self.told.as_ref() == Some(&now) {
            return;
        }
        let (stage, waiting) = &now;
        let place = |m: &MemberId| {
            let address = self
                .manifest
                .members
                .get(m.index())
                .map_or("", |m| m.address.as_str());
            format!("member {m} at {address}")
        };
        let waiting: Vec<_> = waiting.iter().map(place).collect();
        let waiting = match waiting.as_slice() {
            [] => String::new(),
            some => format!("; waiting for {}", some.join(", ")),
        };
        if stderr().is_terminal() {
            eprintln!("{}{waiting}", stage.text());
        } else {
            tracing::info!("{}{waiting}", stage.text());
        }
        self.told = Some(now);
    }
}

/// Finishes a run that was killed after every member had written its files: gives them their names.
pub(crate) fn finish(
    config: &Config,
    identity: &IdentityKey,
    password: &NodePassword,
) -> anyhow::Result<Network> {
    let paths = &config.paths;
    let _lock = DirLock::of_dir_of(&paths.share_key)?;
    let either = |path: &PathBuf| {
        let draft = draft_path(path);
        if path.exists() { path.clone() } else { draft }
    };
    let (share, pin) = (either(&paths.share_key), either(&paths.network));
    let network = Network::load(&pin).context("there is no complete result to finish with")?;
    let header = ShareHeader {
        network_id: network.id(),
        epoch: network.manifest().epoch,
        member: network.member_of(identity.public())?,
        record: network.record().digest(),
    };
    crate::keys::open_shares(
        &share,
        &header,
        network.committee(),
        network.record(),
        password,
    )?;
    for (found, path) in [(share, &paths.share_key), (pin, &paths.network)] {
        if found != *path {
            publish_draft(&found, path)?;
        }
    }
    Ok(network)
}

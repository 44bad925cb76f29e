//! What a devnet was started with: chosen at its first start and kept in its data directory.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use touchstone_types::Suite;

use crate::{
    args::{INTERVAL_DEFAULT_MS, MarketArg, NODES_DEFAULT, RunArgs, SEED_DEFAULT},
    files::{self, DataDir},
    ports::{self, Chooser},
};

/// Where the API is served if nobody has said anything.
const API_DEFAULT: u16 = 8080;

/// The file `devnet.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Milliseconds from round to round.
    pub(crate) interval_ms: u64,
    /// What the network signs with, in ascending order.
    #[serde(default = "suites_default")]
    pub(crate) suites: Vec<Suite>,
    /// Where prices come from.
    pub(crate) market: Origin,
    /// The market server's port on loopback.
    pub(crate) market_port: u16,
    /// Address of the aggregator's API.
    pub(crate) api: SocketAddr,
    /// The members' ports on loopback, in order.
    pub(crate) members: Vec<MemberPorts>,
}

/// Where prices come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Origin {
    /// A random walk.
    Demo {
        /// Its seed.
        seed: u64,
    },
    /// The real exchanges.
    Live,
    /// Recorded bars.
    Replay {
        /// Their folder.
        dir: PathBuf,
        /// Where it begins.
        from: String,
        /// How fast it runs.
        speed: String,
    },
}

/// The ports of one member.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberPorts {
    /// UDP: members and observers.
    pub(crate) quic: u16,
    /// TCP: health and metrics.
    pub(crate) http: u16,
}

fn suites_default() -> Vec<Suite> {
    vec![Suite::Ed25519]
}

/// What is asked for, in ascending order.
///
/// # Errors
/// A suite that is named twice.
fn suites(asked: &[Suite]) -> anyhow::Result<Vec<Suite>> {
    if asked.is_empty() {
        return Ok(suites_default());
    }
    let mut suites = asked.to_vec();
    suites.sort_unstable();
    suites.dedup();
    anyhow::ensure!(
        suites.len() == asked.len(),
        "--suites: a suite is named twice"
    );
    Ok(suites)
}

impl Plan {
    /// The plan of the data directory with what the command line may change, or a new one.
    ///
    /// # Errors
    /// A command line that contradicts the network that is there, a file that cannot be read or written, a taken port.
    pub(crate) fn load(data: &DataDir, args: &RunArgs) -> anyhow::Result<Self> {
        let path = data.plan();
        let shown = path.display();
        let plan = match std::fs::read(&path) {
            Ok(text) => {
                let stored: Self = serde_json::from_slice(&text)
                    .with_context(|| format!("{shown} is not a devnet's"))?;
                if data.pin().exists() {
                    stored.resumed(args, data)?
                } else {
                    // The key generation was broken off: nothing is there that must stay.
                    Self::fresh(args)?
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::fresh(args)?,
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        files::write(&path, &serde_json::to_vec_pretty(&plan)?)?;
        Ok(plan)
    }

    fn fresh(args: &RunArgs) -> anyhow::Result<Self> {
        let nodes = args.nodes.unwrap_or(NODES_DEFAULT);
        let mut chooser = Chooser::new();
        let mut ports = || -> anyhow::Result<MemberPorts> {
            Ok(MemberPorts {
                quic: chooser.next()?,
                http: chooser.next()?,
            })
        };
        let members = (0..nodes).map(|_| ports()).collect::<anyhow::Result<_>>()?;
        let api = match args.listen {
            Some(address) if address.port() != 0 => address,
            Some(address) => SocketAddr::new(address.ip(), chooser.next()?),
            None if ports::is_free(API_DEFAULT) => (Ipv4Addr::LOCALHOST, API_DEFAULT).into(),
            None => (Ipv4Addr::LOCALHOST, chooser.next()?).into(),
        };
        Ok(Self {
            interval_ms: args.interval.unwrap_or(INTERVAL_DEFAULT_MS),
            suites: suites(&args.suites)?,
            market: Origin::new(args, None)?,
            market_port: chooser.next()?,
            api,
            members,
        })
    }

    /// The network's own terms stay, for they are in its manifest; where prices come from and go to may change.
    fn resumed(mut self, args: &RunArgs, data: &DataDir) -> anyhow::Result<Self> {
        let dir = data.path().display();
        let nodes = self.members.len();
        if let Some(asked) = args.nodes {
            anyhow::ensure!(
                usize::from(asked) == nodes,
                "--nodes {asked}: {dir} holds a network of {nodes} nodes; another one needs another --data-dir"
            );
        }
        if let Some(asked) = args.interval {
            let has = self.interval_ms;
            anyhow::ensure!(
                asked == has,
                "--interval {asked}: {dir} holds a network with rounds every {has} ms; another one needs another --data-dir"
            );
        }
        anyhow::ensure!(
            args.feeds.is_none(),
            "--feeds: {dir} holds a network with its own feeds; others need another --data-dir"
        );
        anyhow::ensure!(
            args.suites.is_empty() || suites(&args.suites)? == self.suites,
            "--suites: {dir} holds a network with its own; others need another --data-dir"
        );
        self.market = Origin::new(args, Some(&self.market))?;
        match args.listen {
            Some(address) if address.port() != 0 => self.api = address,
            Some(address) => self.api = SocketAddr::new(address.ip(), Chooser::new().next()?),
            None => ports::expect_free(self.api.port(), "the API", &data.plan())?,
        }
        for (id, member) in self.members.iter().enumerate() {
            ports::expect_free(member.quic, &format!("QUIC of member {id}"), &data.plan())?;
            ports::expect_free(member.http, &format!("health of member {id}"), &data.plan())?;
        }
        if !ports::is_free(self.market_port) {
            // Nobody but the nodes, which are told anew, knows where the market is.
            self.market_port = Chooser::new().next()?;
        }
        Ok(self)
    }

    /// How many members there are.
    pub(crate) fn nodes(&self) -> u16 {
        u16::try_from(self.members.len()).unwrap_or(u16::MAX)
    }

    /// Every member with its ports.
    pub(crate) fn members(&self) -> impl Iterator<Item = (u16, MemberPorts)> + '_ {
        (0u16..).zip(self.members.iter().copied())
    }

    /// Base URL of the API.
    pub(crate) fn api_url(&self) -> String {
        // An address that means all addresses is reached on loopback.
        let ip = match self.api.ip() {
            ip if ip.is_unspecified() && ip.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
            ip if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.api.port()))
    }
}

impl Origin {
    fn new(args: &RunArgs, stored: Option<&Self>) -> anyhow::Result<Self> {
        let stored_seed = match stored {
            Some(Self::Demo { seed }) => *seed,
            _ => SEED_DEFAULT,
        };
        let demo = Self::Demo {
            seed: args.seed.unwrap_or(stored_seed),
        };
        let origin = match (&args.market, stored) {
            (Some(MarketArg::Demo), _) | (None, None | Some(Self::Demo { .. })) => demo,
            (Some(MarketArg::Live), _) | (None, Some(Self::Live)) => Self::Live,
            (Some(MarketArg::Replay(dir)), _) => {
                let from = args.from.clone();
                Self::Replay {
                    dir: std::path::absolute(dir)?,
                    from: from
                        .context("--market replay:DIR needs --from, where the replay begins")?,
                    speed: args.speed.map_or_else(|| "1".to_owned(), |s| s.to_string()),
                }
            }
            (None, Some(Self::Replay { dir, from, speed })) => Self::Replay {
                dir: dir.clone(),
                from: args.from.clone().unwrap_or_else(|| from.clone()),
                speed: args.speed.map_or_else(|| speed.clone(), |s| s.to_string()),
            },
        };
        let is_replay = matches!(origin, Self::Replay { .. });
        anyhow::ensure!(
            is_replay || (args.from.is_none() && args.speed.is_none()),
            "--from and --speed are for --market replay:DIR"
        );
        anyhow::ensure!(
            args.seed.is_none() || matches!(origin, Self::Demo { .. }),
            "--seed is for --market demo"
        );
        if let Self::Replay { from, .. } = &origin {
            touchstone_market::parse_time(from).context("--from")?;
        }
        Ok(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> RunArgs {
        RunArgs {
            listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
            ..RunArgs::default()
        }
    }

    fn data() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().expect("folder");
        let data = DataDir::open(Some(folder.path())).expect("data directory");
        (folder, data)
    }

    #[test]
    fn a_resumed_network_keeps_its_ports_and_terms() {
        let (_folder, data) = data();
        let first = Plan::load(
            &data,
            &RunArgs {
                nodes: Some(7),
                seed: Some(5),
                ..args()
            },
        )
        .expect("fresh");
        assert_eq!(first.members.len(), 7);
        std::fs::write(data.pin(), "{}").expect("pin");
        let again = Plan::load(&data, &RunArgs::default()).expect("resumed");
        assert_eq!(again, first);
        let other = Plan::load(
            &data,
            &RunArgs {
                nodes: Some(4),
                ..args()
            },
        )
        .expect_err("other size");
        assert!(other.to_string().contains("network of 7 nodes"), "{other}");
        let other = Plan::load(
            &data,
            &RunArgs {
                interval: Some(500),
                ..args()
            },
        )
        .expect_err("other interval");
        assert!(other.to_string().contains("every 1000 ms"), "{other}");
        let live = RunArgs {
            market: Some(MarketArg::Live),
            ..RunArgs::default()
        };
        assert_eq!(
            Plan::load(&data, &live).expect("resumed").market,
            Origin::Live
        );
    }

    #[test]
    fn a_taken_port_at_resume_is_an_error() {
        let (_folder, data) = data();
        let plan = Plan::load(&data, &args()).expect("fresh");
        std::fs::write(data.pin(), "{}").expect("pin");
        let _socket =
            std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, plan.members[2].quic)).expect("bound");
        let error = Plan::load(&data, &RunArgs::default())
            .expect_err("taken")
            .to_string();
        assert!(
            error.contains("QUIC of member 2") && error.contains("taken"),
            "{error}"
        );
    }

    #[test]
    fn an_unfinished_genesis_is_begun_anew() {
        let (_folder, data) = data();
        Plan::load(&data, &args()).expect("fresh");
        let plan = Plan::load(
            &data,
            &RunArgs {
                nodes: Some(5),
                ..args()
            },
        )
        .expect("anew");
        assert_eq!(plan.nodes(), 5);
    }

    #[test]
    fn options_of_another_market_are_refused() {
        let (_folder, data) = data();
        let refuse = |args: RunArgs| Plan::load(&data, &args).expect_err("refused").to_string();
        assert!(
            refuse(RunArgs {
                from: Some("2023-03-11".into()),
                ..args()
            })
            .contains("--from")
        );
        assert!(
            refuse(RunArgs {
                seed: Some(1),
                market: Some(MarketArg::Live),
                ..args()
            })
            .contains("--seed")
        );
        let replay = Some(MarketArg::Replay("h".into()));
        assert!(
            refuse(RunArgs {
                market: replay.clone(),
                ..args()
            })
            .contains("--from")
        );
        assert!(
            refuse(RunArgs {
                market: replay,
                from: Some("noon".into()),
                ..args()
            })
            .contains("--from")
        );
    }

    #[test]
    fn the_url_of_an_address_for_everybody_is_loopback() {
        let (_folder, data) = data();
        let everybody = Some("0.0.0.0:9999".parse().expect("address"));
        let plan = Plan::load(
            &data,
            &RunArgs {
                listen: everybody,
                ..args()
            },
        )
        .expect("fresh");
        assert_eq!(plan.api_url(), "http://127.0.0.1:9999");
    }
}

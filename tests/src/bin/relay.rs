//! Impairs the links between the members of a network on this machine.

use std::{
    io::{BufRead as _, Write as _},
    net::SocketAddr,
    str::FromStr,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use touchstone_tests::relay::{Chance, Impairment, ImpairmentArgs, Relay, Seat};

const HELP: &str = "\
Example: two members listen on 127.0.0.1:7001 and :7002 (link.listen in node.toml), and the manifest says 7101 and 7102:
  relay --member 127.0.0.1:7101=127.0.0.1:7001 --member 127.0.0.1:7102=127.0.0.1:7002 \\
        --delay-ms 50 --jitter-ms 10 --loss 2 --duplicate 1

Commands on standard input, one a line; members are counted from 0:
  link FROM TO MS [JITTER-MS [LOSS [DUPLICATE]]]   impairs one direction of one link from now on
  all MS [JITTER-MS [LOSS [DUPLICATE]]]            impairs every link from now on
  cut FROM TO, mend FROM TO                        lets nothing through in one direction, or again
  partition A,B.. [C,D.. ..]                       cuts every link between these sets; who is not named is a set, too
  heal                                             mends every link
  count [FROM TO]                                  what the links have done, as JSON
It ends with standard input.";

/// Impairs the links between the members of a network on this machine: delay, jitter and with it reordering, loss,
/// duplication, one-way cuts, partitions. Each member is called at its front and seen there by the others.
#[derive(Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    /// A member: where the others call it, and where it listens; at least two, in their order
    #[arg(long = "member", value_name = "FRONT=REAL", required = true)]
    members: Vec<Place>,
    #[command(flatten)]
    impairment: ImpairmentArgs,
    /// What chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy)]
struct Place(Seat);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = |text: &str| text.parse::<SocketAddr>().ok();
        let seat = text.split_once('=').and_then(|(front, real)| {
            Some(Seat {
                front: address(front)?,
                real: address(real)?,
            })
        });
        let form = "must be FRONT=REAL, two addresses such as 127.0.0.1:7101=127.0.0.1:7001";
        seat.map(Self).ok_or_else(|| form.to_owned())
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seats: Vec<Seat> = arguments.members.iter().map(|place| place.0).collect();
    anyhow::ensure!(seats.len() >= 2, "--member: at least two are needed");
    let impairment = arguments.impairment.impairment()?;
    let relay = Relay::start(&seats, arguments.seed)?;
    relay.impair_all(impairment);
    for (member, (seat, front)) in seats.iter().zip(relay.fronts()).enumerate() {
        eprintln!("member {member}: {front} for {}", seat.real);
    }
    eprintln!("seed {}", relay.seed());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match obey(&relay, &line) {
            Ok(answer) => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{answer}")?;
            }
            Err(error) => eprintln!("{line:?}: {error:#}"),
        }
    }
    Ok(())
}

fn obey(relay: &Relay, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let member = |text: &str| {
        text.parse::<usize>()
            .with_context(|| format!("{text:?}: no member"))
    };
    match *words.as_slice() {
        [] => return Ok(String::new()),
        ["link", from, to, ref how @ ..] => {
            relay.impair(member(from)?, member(to)?, impairment(how)?)?;
        }
        ["all", ref how @ ..] => relay.impair_all(impairment(how)?),
        ["cut", from, to] => relay.cut(member(from)?, member(to)?)?,
        ["mend", from, to] => relay.mend(member(from)?, member(to)?)?,
        ["partition", ref sets @ ..] => {
            let set = |text: &&str| text.split(',').map(member).collect::<Result<Vec<_>>>();
            let sets = sets.iter().map(set).collect::<Result<Vec<_>>>()?;
            relay.partition(&sets.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        ["heal"] => relay.heal(),
        ["count"] => return Ok(serde_json::to_string(&relay.total())?),
        ["count", from, to] => {
            let counters = relay.counters(member(from)?, member(to)?)?;
            return Ok(serde_json::to_string(&counters)?);
        }
        _ => bail!("no such command; --help lists them"),
    }
    Ok("done".to_owned())
}

/// `MS [JITTER-MS [LOSS [DUPLICATE]]]`.
fn impairment(words: &[&str]) -> Result<Impairment> {
    anyhow::ensure!(
        (1..=4).contains(&words.len()),
        "one to four numbers are needed"
    );
    let ms = |at: usize| -> Result<Duration> {
        let Some(text) = words.get(at) else {
            return Ok(Duration::ZERO);
        };
        let ms = text
            .parse()
            .with_context(|| format!("{text:?}: no number of milliseconds"))?;
        Ok(Duration::from_millis(ms))
    };
    let chance = |at: usize| words.get(at).map_or(Ok(Chance::NEVER), |text| text.parse());
    let impairment = Impairment {
        delay: ms(0)?,
        jitter: ms(1)?,
        loss: chance(2)?,
        duplication: chance(3)?,
    };
    impairment.validate()?;
    Ok(impairment)
}

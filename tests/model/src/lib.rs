//! A model checker for the shipped consensus core.
mod byzantine;
mod essence;
mod judge;
mod letter;
mod member;
mod reduced;
mod symbols;
mod world;
pub fn try_it<R: touchstone_consensus::Rules>(leads: bool, views: u32, active: usize, merge: reduced::Merge) {
    let mut w = world::World::<R>::new(world::Config { byzantine_leads: leads, views, active }).unwrap();
    let mut r = reduced::Reduced::new(&mut w, merge, 20_000_000);
    r.progress = true;
    match r.run() {
        Ok(None) => println!("none {:?}", r.count),
        Ok(Some(f)) => { println!("{:?}\n{}", f.violation, f.schedule.join("\n")); println!("{:?}", r.count) }
        Err(e) => println!("{e:#}"),
    }
}
pub use reduced::Merge;

//! x
struct V(bool, u32, usize, touchstone_model::Merge);
impl touchstone_sim::mutants::Visitor for V { type Output=(); fn visit<R: touchstone_consensus::Rules>(self) { touchstone_model::try_it::<R>(self.0,self.1,self.2,self.3) } }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let v = V(a[2]=="b", a[3].parse().unwrap(), a[4].parse().unwrap(), if a[5]=="exact" {touchstone_model::Merge::Exact} else {touchstone_model::Merge::View});
    if a[1]=="sound" { touchstone_model::try_it::<touchstone_consensus::Sound>(v.0,v.1,v.2,v.3) } else { touchstone_sim::mutants::visit(&a[1], v).unwrap() }
}

//! How fast guests boot beside each other on one node.
//!
//! An even share of what the node has for boots, less what each boot costs without getting on: timer ticks, caches that are not its
//! own any more, a disk's head that goes to and fro. With such a loss eight boots at once take longer than eight in turn, and so many
//! that the loss takes all of a share would never end: no [`super::Plan`] is made with as many VMs on a node.

use super::file::Nodes;

/// Said of a loss in a fleet whose boots do not slow each other down.
pub(super) const NOTHING_TO_LOSE: &str = "boots slow each other down only with bootsAtFullSpeed: give it, too";

/// What a node has for boots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// So many boot without slowing each other down.
    pub at_full_speed: u32,
    /// The part of a full share that each boot loses: 0, and below 1.
    pub loss: f64,
}

impl Capacity {
    /// Of each node; `None`: boots do not slow each other down.
    pub(super) fn of(nodes: &Nodes) -> Option<Capacity> {
        let at_full_speed = nodes.boots_at_full_speed?.max(1);
        Some(Capacity { at_full_speed, loss: nodes.loss_per_boot })
    }

    /// How fast each of so many boots, against one by itself: 1 at most, and nothing where the loss is as large as its share.
    pub fn pace(self, booting: usize) -> f64 {
        let share = (f64::from(self.at_full_speed) / booting.max(1) as f64).min(1.0);
        ((share - self.loss) / (1.0 - self.loss)).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_of_boots_beside_each_other() {
        for (at_full_speed, loss, booting, pace) in [
            (2, 0.0, 0, 1.0),
            (2, 0.0, 1, 1.0),
            (2, 0.0, 2, 1.0),
            (2, 0.0, 3, 2.0 / 3.0),
            (2, 0.0, 8, 0.25),
            (2, 0.2, 2, 1.0),
            (2, 0.2, 4, 0.375),
            (2, 0.2, 8, 0.0625),
            (2, 0.2, 10, 0.0),
            (2, 0.2, 20, 0.0),
        ] {
            let found = Capacity { at_full_speed, loss }.pace(booting);
            assert!((found - pace).abs() < 1e-12, "{at_full_speed} {loss} {booting}: {found}");
        }
    }
}

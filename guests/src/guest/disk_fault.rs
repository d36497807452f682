//! What a fault has done to a guest's disk, and whether QEMU's word that there is no space is of its doing.

use vmhealth_sim::scenario::DiskError;

/// The disk of a device of QEMU's.
#[derive(Debug)]
pub(crate) struct DiskBelow {
    /// The fault's step.
    pub(crate) step: usize,
    /// The device's QOM path.
    pub(crate) device: String,
    /// The block node.
    pub(crate) node: String,
}

/// One at a time.
#[derive(Debug, Default)]
pub(crate) struct DiskFault {
    /// What the disk is while a filter above it lets writes fail.
    below: Option<DiskBelow>,
    /// What QEMU may still say of it.
    error: Option<DiskError>,
}

impl DiskFault {
    /// Writes fail from now on, or very soon.
    pub(crate) fn begin(&mut self, below: DiskBelow, error: DiskError) {
        *self = DiskFault { below: Some(below), error: Some(error) };
    }

    pub(crate) fn is_on(&self) -> bool {
        self.below.is_some()
    }

    /// The step's fault is being mended. QEMU may have said before what is read only later.
    pub(crate) fn end(&mut self, step: usize) -> Option<DiskBelow> {
        self.below.take_if(|below| below.step == step)
    }

    /// The guest goes on: of what was before the end nothing more is read.
    pub(crate) fn resumed(&mut self) {
        if !self.is_on() {
            self.error = None;
        }
    }

    /// QEMU says `nospace` of this fault, and not of the host's disk.
    pub(crate) fn explains_no_space(&self) -> bool {
        self.error == Some(DiskError::NoSpace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_full_disk_it_is() {
        let below = |step| DiskBelow { step, device: "/machine/disk".into(), node: "root".into() };
        let mut fault = DiskFault::default();
        assert!(!fault.explains_no_space(), "nothing was broken");
        fault.begin(below(3), DiskError::Broken);
        assert!(!fault.explains_no_space(), "a broken disk is not a full one");
        assert!(fault.end(4).is_none() && fault.is_on(), "another step's end");
        assert!(fault.end(3).is_some() && !fault.is_on());
        fault.begin(below(5), DiskError::NoSpace);
        fault.resumed();
        assert!(fault.explains_no_space(), "KubeVirt lets it go on into the same fault");
        assert!(fault.end(5).is_some());
        assert!(fault.explains_no_space(), "said before the end, and read after it");
        fault.resumed();
        assert!(!fault.explains_no_space(), "it is over");
    }
}

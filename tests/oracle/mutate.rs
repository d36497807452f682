//! Mutations of a manifest: up to three slips of the kinds that people make, at places that a profile chooses.

use crate::shapes::Shapes;
use crate::tree::{Path, Step, Tree};
use crate::words;
use fastrand::Rng;

/// Which part of a manifest is mutated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Health,
    Devices,
    All,
}

const HEALTH: &[&str] = &[
    "readinessProbe",
    "livenessProbe",
    "watchdog",
    "panicDevices",
    "rebootPolicy",
    "terminationGracePeriodSeconds",
    "runStrategy",
    "running",
    "startStrategy",
    "evictionStrategy",
    "metadata",
    "ports",
    "memory",
    "resources",
    "cpu",
    "machine",
    "architecture",
];
const DEVICES: &[&str] = &[
    "networks",
    "interfaces",
    "disks",
    "volumes",
    "firmware",
    "features",
    "machine",
    "memory",
    "cpu",
    "resources",
    "instancetype",
    "preference",
    "inputs",
    "rng",
    "tpm",
    "sound",
    "video",
    "autoattachPodInterface",
    "ioThreads",
    "ioThreadsPolicy",
    "clock",
    "dataVolumeTemplates",
    "filesystems",
    "launchSecurity",
    "accessCredentials",
    "gpus",
    "hostDevices",
    "blockMultiQueue",
    "architecture",
];

impl Profile {
    pub(crate) fn named(name: &str) -> Option<Profile> {
        [("health", Profile::Health), ("devices", Profile::Devices), ("all", Profile::All)]
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, p)| *p)
    }

    fn has(self, field: &str) -> bool {
        match self {
            Profile::Health => HEALTH.contains(&field),
            Profile::Devices => DEVICES.contains(&field),
            Profile::All => true,
        }
    }

    fn concerns(self, path: &Path) -> bool {
        self == Profile::All || path.iter().any(|step| matches!(step, Step::Member(name) if self.has(name)))
    }
}

/// What is mutated, and with what.
pub(crate) struct Mutator<'s> {
    pub(crate) shapes: &'s Shapes,
    pub(crate) profile: Profile,
    pub(crate) random: Rng,
}

impl Mutator<'_> {
    /// One to three slips in a manifest of this kind.
    pub(crate) fn mutated(&mut self, base: &Tree, kind: &str) -> Tree {
        let mut tree = base.clone();
        let mut left = self.random.usize(1..=3);
        // A slip that finds no place is tried again, within reason.
        for _ in 0..40 {
            if left == 0 {
                break;
            }
            left -= usize::from(self.slip(&mut tree, kind).is_some());
        }
        tree
    }

    fn slip(&mut self, tree: &mut Tree, kind: &str) -> Option<()> {
        // What decoding refuses is seldom: no later layer would be asked.
        match self.random.u8(0..24) {
            0..=8 => self.another_value(tree, kind),
            9..=17 => self.one_more_field(tree, kind),
            18..=19 => self.without(tree),
            20 => self.misspelt(tree),
            21 => self.moved(tree),
            22 => self.twice(tree),
            _ => self.another_shape(tree),
        }
    }

    fn place(&mut self, tree: &Tree) -> Option<Path> {
        let paths = tree.paths().into_iter().filter(|path| !path.is_empty() && self.profile.concerns(path));
        self.random.choice(paths.collect::<Vec<_>>())
    }

    fn another_value(&mut self, tree: &mut Tree, kind: &str) -> Option<()> {
        let path = self.place(tree)?;
        let name = path.iter().rev().find_map(|step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Item(_) => None,
        })?;
        let shape = self.shapes.at(kind, &path);
        let value = match self.random.u8(0..4) == 0 || shape.is_null() {
            true => words::hostile(&mut self.random),
            false => self.shapes.value(&name, shape, &mut self.random),
        };
        *tree.at(&path)? = value;
        Some(())
    }

    /// A field that the object at some place has and the manifest has not.
    fn one_more_field(&mut self, tree: &mut Tree, kind: &str) -> Option<()> {
        let maps: Vec<Path> = tree.paths().into_iter().filter(|p| self.fields_at(kind, p).next().is_some()).collect();
        let path = self.random.choice(maps)?;
        let fields: Vec<String> = self.fields_at(kind, &path).cloned().collect();
        let name = self.random.choice(fields)?;
        let shape = self.shapes.at(kind, &[path.clone(), vec![Step::Member(name.clone())]].concat());
        let value = self.shapes.value(&name, shape, &mut self.random);
        let members = tree.at(&path)?.members()?;
        members.iter().all(|(key, _)| *key != name).then(|| members.push((name, value)))
    }

    fn fields_at<'a>(&'a self, kind: &'a str, path: &'a Path) -> impl Iterator<Item = &'a String> {
        let within = self.profile.concerns(path);
        // Nobody writes a status.
        let fields = self.shapes.fields(self.shapes.at(kind, path)).into_iter().filter(|name| *name != "status");
        fields.filter(move |name| within || self.profile.has(name))
    }

    fn without(&mut self, tree: &mut Tree) -> Option<()> {
        let path = self.place(tree)?;
        taken(tree, &path).map(drop)
    }

    fn misspelt(&mut self, tree: &mut Tree) -> Option<()> {
        let path = self.place(tree)?;
        let (Step::Member(name), above) = path.split_last()? else { return None };
        let at = self.random.usize(..name.len().max(1));
        let mut wrong: Vec<char> = name.chars().collect();
        match self.random.u8(0..3) {
            0 => wrong
                .get_mut(at)
                .map(|c| *c = if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })?,
            1 if wrong.len() > 1 => drop(wrong.remove(at)),
            _ => wrong.push('s'),
        }
        let wrong: String = wrong.into_iter().collect();
        let members = tree.at(above)?.members()?;
        if members.iter().any(|(key, _)| *key == wrong) {
            return None;
        }
        members.iter_mut().find(|(key, _)| key == name).map(|(key, _)| *key = wrong)
    }

    fn moved(&mut self, tree: &mut Tree) -> Option<()> {
        let (from, to) = (self.place(tree)?, self.place(tree)?);
        let Step::Member(name) = from.last()?.clone() else { return None };
        let to = &to[..self.random.usize(0..=to.len())];
        let fits = |tree: &mut Tree| tree.at(to)?.members().map(|members| members.iter().all(|(key, _)| *key != name));
        if to.starts_with(&from) || fits(tree) != Some(true) {
            return None;
        }
        let value = taken(tree, &from)?;
        tree.at(to)?.members()?.push((name, value));
        Some(())
    }

    fn twice(&mut self, tree: &mut Tree) -> Option<()> {
        let path = self.place(tree)?;
        let (Step::Item(index), above) = path.split_last()? else { return None };
        let Tree::List(items) = tree.at(above)? else { return None };
        let item = items.get(*index)?.clone();
        items.push(item);
        Some(())
    }

    fn another_shape(&mut self, tree: &mut Tree) -> Option<()> {
        let path = self.place(tree)?;
        let value = tree.at(&path)?;
        let was = std::mem::replace(value, Tree::List(Vec::new()));
        *value = match was {
            Tree::List(mut items) if !items.is_empty() => items.remove(0),
            was if self.random.bool() => Tree::List(vec![was]),
            was => Tree::Map(vec![("value".to_owned(), was)]),
        };
        Some(())
    }
}

fn taken(tree: &mut Tree, path: &Path) -> Option<Tree> {
    let (step, above) = path.split_last()?;
    match (tree.at(above)?, step) {
        (Tree::Map(members), Step::Member(name)) => {
            let index = members.iter().position(|(key, _)| key == name)?;
            Some(members.remove(index).1)
        }
        (Tree::List(items), Step::Item(index)) => (*index < items.len()).then(|| items.remove(*index)),
        _ => None,
    }
}

//! Which files a command line names: themselves, and of a directory those that hold manifests.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The names of manifests.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// Directories in directories end here.
const DEPTH: usize = 64;
/// More names of what is left out are only counted.
const MAX_NAMED: usize = 5;

/// What a command line names.
#[derive(Debug, Default, PartialEq)]
pub struct Files {
    /// The files with, for each, whether it was named itself.
    pub files: Vec<(PathBuf, bool)>,
    /// What was left out of directories: a line each.
    pub left_out: Vec<String>,
}

/// Files as they are named; of directories, recursively and in the order of their names, `*.yaml`, `*.yml` and `*.json`. A directory
/// is looked into once, however many symbolic links lead to it. `-` is no file, and stays.
pub fn files(paths: &[PathBuf]) -> io::Result<Files> {
    let mut found = Files::default();
    for path in paths {
        if path.as_os_str() == "-" || !path.is_dir() {
            found.files.push((path.clone(), true));
            continue;
        }
        let (mut walk, before) = (Walk::default(), found.files.len());
        walk.directory(path, DEPTH, &mut found)?;
        let directory = path.display();
        if found.files.len() == before {
            found.left_out.push(format!("{directory}: no *.yaml, *.yml or *.json in it"));
        }
        let named: Vec<String> = walk.others.iter().take(MAX_NAMED).map(|p| p.display().to_string()).collect();
        let more = walk.others.len().saturating_sub(MAX_NAMED);
        if !named.is_empty() {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            found.left_out.push(format!("not *.yaml, *.yml or *.json, left out: {}{more}", named.join(", ")));
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Walk {
    /// Where it was, by their real paths.
    seen: BTreeSet<PathBuf>,
    others: Vec<PathBuf>,
}

impl Walk {
    fn directory(&mut self, directory: &Path, depth: usize, found: &mut Files) -> io::Result<()> {
        if depth == 0 || !self.seen.insert(directory.canonicalize()?) {
            found.left_out.push(format!("{}: looked into already, or too deep", directory.display()));
            return Ok(());
        }
        let entries: io::Result<Vec<PathBuf>> = directory.read_dir()?.map(|entry| Ok(entry?.path())).collect();
        let mut entries = entries?;
        entries.sort();
        for path in entries {
            let is_manifest = path.extension().is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known));
            if path.is_dir() {
                self.directory(&path, depth - 1, found)?;
            } else if path.is_file() && is_manifest {
                // Of `.` GitHub and code scanning know the paths without it.
                found.files.push((path.strip_prefix(".").map(Path::to_owned).unwrap_or(path), false));
            } else {
                self.others.push(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_walked_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z.yaml", "a.yml", "b/x.json", "b/c/y.yaml", "b/README.md", "B.YAML"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("b/c/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling.yaml")).unwrap();
        let found = files(&[at("b/README.md"), folder.path().into(), "-".into()]).unwrap();
        let names: Vec<String> = found
            .files
            .iter()
            .map(|(path, named)| {
                format!(
                    "{}{}",
                    path.strip_prefix(folder.path()).unwrap_or(path).display(),
                    if *named { " named" } else { "" }
                )
            })
            .collect();
        assert_eq!(names, ["b/README.md named", "a.yml", "b/c/y.yaml", "b/x.json", "z.yaml", "- named"]);
        let said = found.left_out.join("\n").replace(&format!("{}/", folder.path().display()), "");
        assert_eq!(
            said,
            "b/c/loop: looked into already, or too deep\nnot *.yaml, *.yml or *.json, left out: B.YAML, b/README.md, dangling.yaml"
        );
    }
}

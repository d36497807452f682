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
#[derive(Debug, Default)]
pub struct Files {
    /// The files with, for each, whether it was named itself.
    pub files: Vec<(PathBuf, bool)>,
    /// What was left out of directories: a line each.
    pub left_out: Vec<String>,
    /// Directories that could not be read, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Files as they are named; of directories, recursively and in the order of their names, `*.yaml`, `*.yml` and `*.json`. A directory
/// is looked into once, however many symbolic links lead to it. `-` is no file, and stays.
pub fn files(paths: &[PathBuf]) -> Files {
    let mut found = Files::default();
    for path in paths {
        if path.as_os_str() == "-" || !path.is_dir() {
            found.files.push((without_dot(path), true));
            continue;
        }
        let (mut walk, before) = (Walk::default(), found.files.len());
        walk.look_into(path, DEPTH, &mut found);
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
    found
}

/// GitHub and code scanning know paths without it.
fn without_dot(path: &Path) -> PathBuf {
    // `./-` is a file, `-` is standard input.
    path.strip_prefix(".").ok().filter(|rest| rest.as_os_str() != "-").unwrap_or(path).to_owned()
}

#[derive(Default)]
struct Walk {
    /// Where it was, by their real paths.
    seen: BTreeSet<PathBuf>,
    others: Vec<PathBuf>,
}

impl Walk {
    /// A directory that cannot be read does not keep others from being.
    fn look_into(&mut self, directory: &Path, depth: usize, found: &mut Files) {
        if let Err(e) = self.directory(directory, depth, found) {
            found.unreadable.push((without_dot(directory), e));
        }
    }

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
                if !is_passed_over(&path) {
                    self.look_into(&path, depth - 1, found);
                }
            } else if path.is_file() && is_manifest {
                found.files.push((without_dot(&path), false));
            } else {
                self.others.push(path);
            }
        }
        Ok(())
    }
}

/// Folders in which nobody keeps manifests.
fn is_passed_over(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "node_modules"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_called_like_standard_input() {
        let names = ["./-", "./a.yaml", "-"].map(PathBuf::from);
        let found: Vec<PathBuf> = files(&names).files.into_iter().map(|(path, _)| path).collect();
        assert_eq!(found.iter().map(|p| p.as_os_str()).collect::<Vec<_>>(), ["./-", "a.yaml", "-"]);
    }

    #[test]
    fn directories_are_walked_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        std::fs::create_dir_all(at(".git")).unwrap();
        for name in [".git/x.yaml", "z.yaml", "a.yml", "b/x.json", "b/c/y.yaml", "b/README.md", "B.YAML"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("b/c/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling.yaml")).unwrap();
        let found = files(&[at("b/README.md"), folder.path().into(), "-".into()]);
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

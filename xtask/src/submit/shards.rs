//! What one shard runs, as a shell script that is the same for every engine.

use shlex::try_quote;

/// Shards, and what they run.
#[derive(Debug, Clone)]
pub struct Shards {
    /// vmhealth on the machines that run them: a program, or a path.
    pub program: String,
    /// What is run.
    pub work: Work,
    /// How many.
    pub count: u64,
    /// A folder that all machines share.
    pub folder: String,
}

/// What is run in shards; the arguments are without `--shard` and `--out`.
#[derive(Debug, Clone)]
pub enum Work {
    /// Scenarios: the arguments after `e2e`.
    Scenarios(Vec<String>),
    /// A fleet: the arguments after `fleet`, the file first.
    Fleet(Vec<String>),
}

impl Shards {
    /// A script for sh; `number`: the shell's expression for the shard's number, from 1.
    ///
    /// A try has a folder of its own, which becomes the shard's by being renamed once it is whole: a try that was cut off counts as none,
    /// and of two tries that both end the second is dropped. The same goes for the merged report.
    pub fn script(&self, number: &str) -> Result<String, String> {
        let quoted = |word: &str| {
            try_quote(word).map(|w| w.into_owned()).map_err(|_| format!("{word:?} cannot stand in a shell script"))
        };
        let (program, folder) = (quoted(&self.program)?, quoted(&self.folder)?);
        let (Work::Scenarios(arguments) | Work::Fleet(arguments)) = &self.work;
        let arguments = arguments.iter().map(|a| quoted(a)).collect::<Result<Vec<_>, _>>()?;
        let arguments: String = arguments.iter().map(|a| format!(" {a}")).collect();
        let shards = r#""$out"/shards/*"#;
        let (run, merge) = match self.work {
            Work::Scenarios(_) => (format!("e2e{arguments}"), format!("report merge {shards}")),
            Work::Fleet(_) => (format!("fleet{arguments}"), format!("fleet{arguments} --merge {shards}")),
        };
        let count = self.count;
        Ok(format!(
            r#"#!/bin/sh
# One shard of a run of vmhealth. Exit status 0: it is whole, whatever its scenarios' verdicts are; else it can be started again.
set -u
out={folder}
shard={number}
shards={count}
mkdir -p "$out/shards" "$out/tries" || exit 1
# A new folder, also where a name of the host and a number of the process come again: a pod's are always the same.
own=$(mktemp -d "$out/tries/$shard.XXXXXX") || exit 1
if [ ! -d "$out/shards/$shard" ]; then
    echo "shard $shard of $shards on $(hostname)"
    {program} {run} --shard "$shard/$shards" --out "$own/run"
    status=$?
    # Wrong usage, or no results: the shard has failed.
    [ "$status" -ne 2 ] && [ -f "$own/run/results.json" ] || exit "$((status > 0 ? status : 1))"
    mv -T "$own/run" "$out/shards/$shard" || [ -d "$out/shards/$shard" ] || exit 1
fi
# The last one merges.
if [ "$(ls "$out/shards" | wc -l)" -eq "$shards" ] && [ ! -d "$out/report" ]; then
    {program} {merge} --out "$own/report"
    [ -f "$own/report/results.json" ] || exit 1
    mv -T "$own/report" "$out/report" || [ -d "$out/report" ] || exit 1
fi
# What another was quicker with.
rm -rf "$own"
"#
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_no_script_can_hold_is_refused() {
        let shards = |folder: &str| Shards {
            program: "vmhealth".into(),
            work: Work::Scenarios(vec!["a b".into()]),
            count: 2,
            folder: folder.into(),
        };
        assert!(shards("a\0b").script("1").is_err());
        let script = shards("it's").script("$X").unwrap();
        assert!(script.contains("out=\"it's\"\n") && script.contains("vmhealth e2e 'a b' --shard"), "{script}");
    }

    /// Runs the script with a program that writes what vmhealth would.
    #[test]
    fn a_shard_that_is_cut_off_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        // With MEANWHILE another is quicker with what this one makes.
        let program = "#!/bin/sh\nfor last; do :; done\nmkdir \"$last\" || exit 2\ncase $1 in\n\
                       report) echo $# > \"$last/results.json\"; other=report;;\n\
                       e2e) [ -f \"$FAIL\" ] && exit 3; echo \"$@\" > \"$last/results.json\"; other=shards/2;;\nesac\n\
                       if [ -f \"$MEANWHILE\" ]; then cp -r \"$last\" \"$OUT/$other\"; fi\n[ $1 != e2e ]\n";
        std::fs::write(at("vmhealth"), program).unwrap();
        let shards = Shards {
            program: at("run").display().to_string(),
            work: Work::Scenarios(Vec::new()),
            count: 2,
            folder: at("out").display().to_string(),
        };
        // Started by sh, so that it needs no permission to be a program.
        std::fs::write(
            at("script"),
            shards.script("$1").unwrap().replace(&shards.program, &format!("sh {}", at("vmhealth").display())),
        )
        .unwrap();
        let run = |shard: &str, fail: &str| {
            let status = Command::new("sh")
                .arg(at("script"))
                .arg(shard)
                .env("FAIL", at(fail))
                .env("MEANWHILE", at("meanwhile"))
                .env("OUT", at("out"))
                .status();
            status.unwrap().code()
        };
        std::fs::write(at("cut-off"), "").unwrap();
        assert_eq!(run("1", "cut-off"), Some(3));
        assert!(!at("out/shards/1").exists(), "no results");
        assert_eq!(run("1", ""), Some(0), "verdicts of scenarios are no failure of the shard");
        assert!(at("out/shards/1").exists() && !at("out/report").exists(), "one of two");
        assert_eq!(run("2", ""), Some(0));
        assert!(at("out/report/results.json").exists(), "the last one merges");
        // Again, as after a requeue that came too late.
        assert_eq!(run("2", ""), Some(0));
        let left = || std::fs::read_dir(at("out/tries")).unwrap().count();
        assert_eq!(left(), 1, "the one that was cut off");
        // Two try at the same time, and one of them is second with the shard and with the report.
        std::fs::remove_dir_all(at("out/shards/2")).unwrap();
        std::fs::remove_dir_all(at("out/report")).unwrap();
        std::fs::write(at("meanwhile"), "").unwrap();
        assert_eq!(run("2", ""), Some(0));
        assert!(at("out/report/results.json").exists());
        assert_eq!(left(), 1, "what was too late is gone");
    }
}

//! Manifests from files of any length: read bit by bit, cut in pieces, checked side by side, handed on in order.

use std::io::{self, Read};
use std::num::NonZero;
use std::thread;
use vmhealth_sim::check::{Checks, Names, Options, Remembered, check_piece};
use vmhealth_sim::yaml::{Piece, Pieces, Pos, YamlError};

/// So much is read, checked and forgotten at a time.
const BLOCK: u64 = 1 << 20;
/// Of a file: some 100,000 VMs as a cluster serves them.
const SIZE_LIMIT: u64 = 2 << 30;

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system's doing.
    #[error("cannot read {file}: {error}")]
    Io {
        /// As it was named.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The text's: it is no UTF-8, or too long.
    #[error("{file}:{}: {}", error.pos.line, error.message)]
    Text {
        /// As it was named.
        file: String,
        /// Where, and what.
        error: YamlError,
    },
}

/// Reads `input`, which is called `file`, and hands out each piece with what was found in it; `names` are those of the files before.
pub fn check_input<E: From<ReadError>>(
    file: &str,
    mut input: impl Read,
    options: &Options,
    names: &mut Names,
    mut found: impl FnMut(&Piece<'_>, Result<Checks, YamlError>) -> Result<(), E>,
) -> Result<(), E> {
    let text_error =
        |pos, message: String| ReadError::Text { file: file.to_owned(), error: YamlError { pos, message } };
    let (mut bytes, mut pieces, mut all, mut lines) = (Vec::new(), Pieces::default(), 0_u64, 1_u64);
    let mut remembered = Remembered::default();
    loop {
        let mut block = (&mut input).take(BLOCK);
        let read = block.read_to_end(&mut bytes).map_err(|error| ReadError::Io { file: file.to_owned(), error })?;
        let last = (read as u64) < BLOCK;
        all += read as u64;
        if all > SIZE_LIMIT {
            let message = format!("larger than {} MiB", SIZE_LIMIT >> 20);
            return Err(text_error(Pos { line: lines, column: 1 }, message).into());
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            // A character may end in the next block.
            Err(e) if e.error_len().is_none() && !last => {
                std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default()
            }
            Err(e) => {
                let line = lines + newlines(&bytes[..e.valid_up_to()]);
                return Err(text_error(Pos { line, column: 1 }, "not UTF-8".into()).into());
            }
        };
        let (cut, done) = pieces.cut(text, last).map_err(|e| text_error(e.pos, e.message))?;
        cut.iter().for_each(|piece| remembered.take(piece));
        for (piece, mut checks) in cut.iter().zip(check_all(&cut, options, &remembered)) {
            checks.iter_mut().for_each(|checks| names.compare(file, checks));
            found(piece, checks)?;
        }
        lines += newlines(&bytes[..done]);
        bytes.drain(..done);
        if last {
            return Ok(());
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

/// In the order of the pieces, on as many threads as the machine has for us.
fn check_all(pieces: &[Piece<'_>], options: &Options, remembered: &Remembered) -> Vec<Result<Checks, YamlError>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = pieces.len().div_ceil(threads).max(1);
    let check =
        |share: &[Piece<'_>]| share.iter().map(|piece| check_piece(piece, options, remembered)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let shares: Vec<_> = pieces.chunks(share).skip(1).map(|share| scope.spawn(move || check(share))).collect();
        let mut all = pieces.chunks(share).next().map(check).unwrap_or_default();
        for share in shares {
            all.extend(share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However long the text is, everything in it is found, in order.
    #[test]
    fn blocks_and_characters_across_them() {
        let document = |i: usize| format!("---\nkind: VirtualMachine\nmetadata: {{name: \"ü{i}\"}}\n");
        let text: String = (0..40_000).map(document).collect();
        assert!(text.len() as u64 > BLOCK + BLOCK / 2);
        let mut names = Vec::new();
        let all =
            check_input::<ReadError>("f", text.as_bytes(), &Options::default(), &mut Names::default(), |_, checks| {
                names.extend(checks.unwrap().manifests.into_iter().map(|m| m.name));
                Ok(())
            });
        all.unwrap();
        assert!(names.into_iter().eq((0..40_000).map(|i| format!("ü{i}"))));
    }

    /// A VM finds its instance type in front of it, however far, and behind it within a block.
    #[test]
    fn an_instance_type_in_another_piece() {
        let kind = "apiVersion: instancetype.kubevirt.io/v1beta1\nkind: VirtualMachineClusterInstancetype\nmetadata: {name: small}\nspec: {cpu: {guest: 1}, memory: {guest: 1Gi}}\n";
        let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {runStrategy: Always, instancetype: {name: small}, template: {spec: {domain: {devices: {}}}}}\n";
        let filler = format!("---\nkind: ConfigMap\ndata: {{text: {}}}\n", "x".repeat(700)).repeat(400);
        let unseen = |text: &str| {
            let (mut pieces, mut unseen) = (0, 0);
            check_input::<ReadError>("f", text.as_bytes(), &Options::default(), &mut Names::default(), |_, checks| {
                pieces += 1;
                let found = checks.unwrap().manifests;
                let codes = found.iter().flat_map(|m| &m.findings).map(|f| f.rule.code);
                unseen += codes.filter(|code| *code == "instancetype-not-seen").count();
                Ok(())
            })
            .unwrap();
            assert!(pieces > 1, "the text is cut");
            unseen
        };
        assert_eq!(unseen(&format!("{kind}{}---\n{vm}", filler.repeat(5))), 0);
        assert_eq!(unseen(&format!("{vm}{}---\n{kind}", filler.repeat(2))), 0);
        assert_eq!(unseen(&format!("{}---\n{vm}", filler.repeat(2))), 1);
    }

    #[test]
    fn what_is_no_text() {
        let bytes = b"a: 1\nb: \xff\n".as_slice();
        let error = check_input::<ReadError>("f", bytes, &Options::default(), &mut Names::default(), |_, _| Ok(()))
            .unwrap_err();
        assert_eq!(error.to_string(), "f:2: not UTF-8");
    }
}

//! A QEMU without a guest, whose watchdog's registers are read and written over qtest.
//!
//! The qtest accelerator, which could step the clock, is not built by distributions; a stock QEMU under TCG does it too:
//! its CPU only halts, `-icount sleep=off` makes guest time jump from timer to timer, and a second i6300esb is the
//! stopwatch: whichever fires first pauses the machine, with guest time at that very nanosecond. The HPET shows it.

use crate::process::guarded;
use crate::qemu::QEMU_X86;
use crate::wire::{Qmp, QmpError, QmpEvent, Transcript};
use qapi::qmp::{cont, system_reset};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use vmhealth_sim::devices::{Region, Width};
use vmhealth_sim::time::Time;

/// QEMU's own answers; nothing here takes a guest's time.
const LIMIT: Duration = Duration::from_secs(20);
/// The PCI slots of the device and of the stopwatch.
const SLOTS: [u32; 2] = [4, 5];
/// Where their BARs are put.
const BARS: [u32; 2] = [0xfe00_0000, 0xfe00_1000];
/// The HPET's configuration and counter (one tick is 10 ns).
const HPET: (u32, u32) = (0xfed0_0010, 0xfed0_00f0);
/// The shortest tick that the stopwatch knows: the fast clock's. Every time of the machine is a multiple of it.
pub const TICK: Duration = Duration::from_nanos(960);
/// Preloads have 20 bits.
const LONGEST_STAGE: u64 = 0xf_ffff;

/// Why the registers could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The sockets, the process.
    #[error("QEMU without a guest: {0}")]
    Io(#[from] std::io::Error),
    /// Its monitor.
    #[error("QEMU without a guest: {0}")]
    Qmp(#[from] QmpError),
    /// Not what the protocol says.
    #[error("qtest: {asked:?} was answered with {answer:?}")]
    Protocol {
        /// The command.
        asked: String,
        /// The line that came.
        answer: String,
    },
    /// Nothing came.
    #[error("QEMU without a guest: no {0} within {limit}s", limit = LIMIT.as_secs())]
    Late(&'static str),
}

/// The machine. Guest time runs only in [`Machine::run`].
#[derive(Debug)]
pub struct Machine {
    qmp: Qmp,
    events: mpsc::UnboundedReceiver<QmpEvent>,
    qtest: BufStream<UnixStream>,
    _child: Child,
}

impl Machine {
    /// Starts one; its files go to `folder`.
    ///
    /// # Errors
    /// QEMU could not be run or does not answer.
    pub async fn start(folder: &Path) -> Result<Machine, MachineError> {
        let bios = folder.join("halt.bin");
        std::fs::write(&bios, halting_firmware())?;
        let (monitor, qtest) = (folder.join("qmp"), folder.join("qtest"));
        let listening = |path: &Path| format!("unix:{},server=on,wait=off", path.display());
        let mut command = guarded(QEMU_X86, &[]);
        command.args(["-machine", "pc,hpet=on,pit=off", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-m", "2"]);
        command.args(["-nodefaults", "-display", "none", "-S", "-action", "watchdog=pause", "-bios"]).arg(&bios);
        for slot in SLOTS {
            command.args(["-device", &format!("i6300esb,addr={slot}")]);
        }
        command.args(["-qtest-log", "none", "-qtest", &listening(&qtest), "-qmp", &listening(&monitor)]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let begun = Instant::now();
        let stream = loop {
            match UnixStream::connect(&qtest).await {
                Ok(stream) => break stream,
                Err(_) if begun.elapsed() < LIMIT => sleep(Duration::from_millis(20)).await,
                Err(e) => return Err(e.into()),
            }
        };
        let (sender, events) = mpsc::unbounded_channel();
        // Nobody reads a million lines of cont and STOP.
        let transcript = Transcript::create(Path::new("/dev/null"), begun)?;
        let qmp = Qmp::connect(&monitor, transcript, sender).await?;
        let mut machine = Machine { qmp, events, qtest: BufStream::new(stream), _child: child };
        machine.set_up().await?;
        Ok(machine)
    }

    /// BARs and the HPET, which a reset takes away; guest time is 0 then.
    async fn set_up(&mut self) -> Result<(), MachineError> {
        let mut commands = Vec::new();
        for (slot, bar) in SLOTS.into_iter().zip(BARS) {
            commands.extend(config_access(slot, 0x10, Width::Long, Some(bar)));
            commands.extend(config_access(slot, 0x04, Width::Word, Some(0x2)));
        }
        commands.push(format!("writeq {:#x} 1", HPET.0));
        self.exchange(&commands).await.map(drop)
    }

    /// Writes a register of the device.
    ///
    /// # Errors
    /// QEMU does not answer as the protocol says; so for all that follow.
    pub async fn write(&mut self, writes: &[(Region, u8, Width, u32)]) -> Result<(), MachineError> {
        let commands: Vec<String> = writes.iter().flat_map(|w| access(0, w.0, w.1, w.2, Some(w.3))).collect();
        self.exchange(&commands).await.map(drop)
    }

    /// Reads registers of the device.
    pub async fn read(&mut self, registers: &[(Region, u8, Width)]) -> Result<Vec<u32>, MachineError> {
        let commands: Vec<Vec<String>> = registers.iter().map(|r| access(0, r.0, r.1, r.2, None)).collect();
        let answers = self.exchange(&commands.concat()).await?;
        // Of each register's commands the last one is the read itself; a register has 32 bits at most.
        let ends = commands.iter().scan(0, |end, of_one| {
            *end += of_one.len();
            Some(*end)
        });
        Ok(ends.map(|end| u32::try_from(answers[end - 1]).unwrap_or_default()).collect())
    }

    /// Guest time since the start or the last reset, to 10 ns.
    pub async fn time(&mut self) -> Result<Time, MachineError> {
        let answers = self.exchange(&[format!("readq {:#x}", HPET.1)]).await?;
        Ok(Time::from_nanos(answers[0] * 10))
    }

    /// Lets guest time run for so many ticks (at least 2; many are rounded up to the slow clock's), or until the device
    /// fires: for how long it was to run, and the time at which it stands.
    ///
    /// A halted CPU jumps on before it is stopped, now and then: the time is then that of the next timer, which has not
    /// run out yet.
    pub async fn run(&mut self, ticks: u64) -> Result<(Duration, Time), MachineError> {
        let (fast, tick, ticks) = match ticks <= 2 * LONGEST_STAGE {
            true => (0x4, TICK, ticks),
            false => (0, TICK * 1024, ticks.div_ceil(1024)),
        };
        let ticks = ticks.clamp(2, 2 * LONGEST_STAGE);
        let mut commands: Vec<String> = config_access(SLOTS[1], 0x60, Width::Word, Some(0x3 | fast)).into();
        for (register, half) in [(0x0, ticks / 2), (0x4, ticks - ticks / 2)] {
            for (to, width, value) in
                [(0xc, Width::Byte, 0x80), (0xc, Width::Byte, 0x86), (register, Width::Long, half)]
            {
                commands.extend(access(1, Region::Memory, to, width, u32::try_from(value).ok()));
            }
        }
        commands.extend(config_access(SLOTS[1], 0x68, Width::Byte, Some(0x2)));
        self.exchange(&commands).await?;
        self.qmp.execute(cont {}, LIMIT).await?;
        self.event("STOP").await?;
        // Where the device was first, the stopwatch still runs.
        self.exchange(&config_access(SLOTS[1], 0x68, Width::Byte, Some(0))).await?;
        // `clamp` keeps it far below u32's end.
        Ok((tick * u32::try_from(ticks).unwrap_or(u32::MAX), self.time().await?))
    }

    /// Resets the machine; guest time is 0 again.
    pub async fn reset(&mut self) -> Result<(), MachineError> {
        self.qmp.execute(system_reset {}, LIMIT).await?;
        self.event("RESET").await?;
        self.set_up().await
    }

    async fn event(&mut self, name: &'static str) -> Result<(), MachineError> {
        let end = Instant::now() + LIMIT;
        loop {
            match timeout_at(end, self.events.recv()).await {
                Ok(Some(event)) if event.name == name => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => return Err(QmpError::Closed.into()),
                Err(_) => return Err(MachineError::Late(name)),
            }
        }
    }

    async fn exchange(&mut self, commands: &[String]) -> Result<Vec<u64>, MachineError> {
        for command in commands {
            self.qtest.write_all(format!("{command}\n").as_bytes()).await?;
        }
        self.qtest.flush().await?;
        let end = Instant::now() + LIMIT;
        let mut values = Vec::new();
        for asked in commands {
            let mut answer = String::new();
            let mut bounded = (&mut self.qtest).take(200);
            timeout_at(end, bounded.read_line(&mut answer)).await.map_err(|_| MachineError::Late("answer"))??;
            let mut words = answer.split_whitespace();
            let value = match (words.next(), words.next()) {
                (Some("OK"), None) => Some(0),
                (Some("OK"), Some(hex)) => u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok(),
                _ => None,
            };
            let bad = || MachineError::Protocol { asked: asked.clone(), answer: answer.trim().to_owned() };
            values.push(value.ok_or_else(bad)?);
        }
        Ok(values)
    }
}

/// 64 KiB whose reset vector says `cli; hlt; jmp` to itself.
fn halting_firmware() -> Vec<u8> {
    let mut firmware = vec![0; 0x1_0000];
    firmware[0xfff0..0xfff4].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfc]);
    firmware
}

fn letter(width: Width) -> char {
    match width {
        Width::Byte => 'b',
        Width::Word => 'w',
        Width::Long => 'l',
    }
}

/// Through configuration mechanism 1.
fn config_access(slot: u32, register: u8, width: Width, value: Option<u32>) -> [String; 2] {
    let (address, data) = (0x8000_0000 | slot << 11 | u32::from(register & !3), 0xcfc + u32::from(register & 3));
    let second = match value {
        Some(value) => format!("out{} {data:#x} {value:#x}", letter(width)),
        None => format!("in{} {data:#x}", letter(width)),
    };
    [format!("outl 0xcf8 {address:#x}"), second]
}

fn access(device: usize, region: Region, register: u8, width: Width, value: Option<u32>) -> Vec<String> {
    if region == Region::Config {
        return config_access(SLOTS[device], register, width, value).into();
    }
    let address = BARS[device] + u32::from(register);
    vec![match value {
        Some(value) => format!("write{} {address:#x} {value:#x}", letter(width)),
        None => format!("read{} {address:#x}", letter(width)),
    }]
}

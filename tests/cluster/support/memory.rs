//! The memory of a process, as `/proc/PID/status` shows it (proc(5)).

/// The value of a field such as `VmHWM`, the most that was ever resident, in bytes.
pub fn memory(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let fields = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.into_iter().find(|(name, _)| *name == field).unwrap();
    let kibibytes = value.trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

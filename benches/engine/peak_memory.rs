//! The most memory that this process has had.

/// Begins to count anew, as far as the kernel lets it.
pub fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").ok();
}

/// The peak in MiB. Zero if the kernel does not say.
pub fn megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}

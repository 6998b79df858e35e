//! The program and its process, under the names that every Prometheus client library gives them.

use super::Exposition;

/// Writes the version, and what the process takes of the machine. Where the system has no `/proc`, the
/// version alone.
pub(super) fn write(out: &mut Exposition) {
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    out.gauges("build_info", "the version of the program", "version", version);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    linux::write(out);
}

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use std::fs;

    use rustix::time::{ClockId, clock_gettime};

    use super::Exposition;

    /// A number that cannot be read is left out.
    pub(super) fn write(out: &mut Exposition) {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        out.standard("process_cpu_seconds_total", "processor time, in user and system mode", "counter", cpu);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, field, unit) in [
            ("process_resident_memory_bytes", "memory in use", "VmRSS:", 1024),
            ("process_virtual_memory_bytes", "address space in use", "VmSize:", 1024),
            ("process_threads", "threads", "Threads:", 1),
        ] {
            if let Some(value) = number_after(&status, field) {
                out.standard(name, help, "gauge", value * unit);
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            out.standard("process_open_fds", "open file descriptors", "gauge", open.count());
        }
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        if let Some(most) = number_after(&limits, "Max open files") {
            out.standard("process_max_fds", "most file descriptors that may be open", "gauge", most);
        }
        if let Some(start) = start_time() {
            let help = "when the process started, since 1970, by this machine's clock";
            out.standard("process_start_time_seconds", help, "gauge", start);
        }
    }

    /// The first number in the line that begins with `field`.
    fn number_after(text: &str, field: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// The start of the machine, and the ticks from there to the start of the process.
    fn start_time() -> Option<f64> {
        let booted = number_after(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program, in brackets, may hold anything; the start is the 20th number behind it.
        let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        Some(booted as f64 + ticks / rustix::param::clock_ticks_per_second() as f64)
    }
}

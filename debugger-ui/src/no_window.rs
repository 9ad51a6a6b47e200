//! What to say where no window can be opened: what is missing, which package has it, and what works without.

/// Libraries that the window loads when it starts, and the Debian packages they are in. The first that a message names
/// is the one that is missing.
const PACKAGES: [(&str, &str); 13] = [
    ("xkbcommon-x11", "libxkbcommon-x11-0"),
    ("xkbcommon", "libxkbcommon0"),
    ("x11-xcb", "libx11-xcb1"),
    ("xcursor", "libxcursor1"),
    ("xrandr", "libxrandr2"),
    ("xrender", "libxrender1"),
    ("xi.so", "libxi6"),
    ("xinput", "libxi6"),
    ("libx11", "libx11-6"),
    ("wayland", "libwayland-client0"),
    ("libgl", "libgl1 libglx-mesa0 libgl1-mesa-dri"),
    ("egl", "libegl1 libgl1-mesa-dri"),
    ("glx", "libgl1 libglx-mesa0 libgl1-mesa-dri"),
];

/// One message. `display` says that DISPLAY or WAYLAND_DISPLAY is set.
pub fn message(reason: &str, display: bool) -> String {
    let lower = reason.to_lowercase();
    let package = PACKAGES.iter().find(|(library, _)| lower.contains(library)).map(|(_, package)| *package);
    let missing = match (display, package) {
        (false, _) => {
            "There is no display: neither DISPLAY nor WAYLAND_DISPLAY is set. Start it in a desktop session, or \
                       install the package xvfb and start it with xvfb-run."
                .to_owned()
        }
        (true, Some(package)) => format!("A library is missing. On Debian: apt-get install {package}"),
        (true, None) => {
            "Perhaps OpenGL is missing. On Debian: apt-get install libgl1 libglx-mesa0 libgl1-mesa-dri libegl1"
                .to_owned()
        }
    };
    format!(
        "firstlight cannot open its window: {reason}.\n{missing}\nThe machine works without a window: \
         firstlight-machine --kernel FILE --serial stdio --narrate"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the message names the package and the program that works without; method: the failures that were seen.
    #[test]
    fn packages_are_named() {
        let gl = message("glutin error: could not find a GLX config", true);
        assert!(gl.contains("libglx-mesa0") && gl.contains("firstlight-machine"), "{gl}");
        let library = message("Library libxkbcommon-x11.so could not be loaded", true);
        assert!(library.contains("install libxkbcommon-x11-0"), "{library}");
        assert!(message("x", false).contains("xvfb"));
        assert!(message("something else", true).contains("libgl1"));
    }
}

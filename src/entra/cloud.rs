//! National clouds: which hosts belong together.

/// A cloud of Microsoft's, with its own accounts and hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Everybody else, GCC included.
    Global,
    /// GCC High (L4).
    UsGov,
    /// The Department of Defense (L5).
    UsGovDod,
    /// Operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud by its name in the configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("global", Self::Global),
        ("usgov", Self::UsGov),
        ("usgov-dod", Self::UsGovDod),
        ("china", Self::China),
    ];

    /// Where tokens come from.
    #[must_use]
    pub fn authority(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Where Graph is.
    #[must_use]
    pub fn graph(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// What tokens for sending through Exchange Online are asked for.
    #[must_use]
    pub fn exchange(self) -> &'static str {
        match self {
            Self::Global => "https://outlook.office365.com",
            Self::UsGov => "https://outlook.office365.us",
            Self::UsGovDod => "https://webmail.apps.mil",
            Self::China => "https://partner.outlook.cn",
        }
    }
}

"""Browsers and mail programs that people use, by the names that these have."""

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_DESKTOPS = (
    "Windows NT 10.0; Win64; x64",
    "Windows NT 10.0; WOW64",
    "Windows NT 6.1; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0",
    "X11; Ubuntu; Linux x86_64",
    "X11; FreeBSD amd64",
)
_CHROMES = (
    "Chrome/141.0.0.0 Safari/537.36",
    "Chrome/109.0.0.0 Safari/537.36",
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Chrome/139.0.0.0 Safari/537.36 OPR/124.0.0.0",
    "Chrome/138.0.0.0 YaBrowser/25.8.0.0 Safari/537.36",
    "Chrome/140.0.0.0 Safari/537.36 Vivaldi/7.6",
    "Chrome/136.0.0.0 Whale/4.32.315.22 Safari/537.36",
    "Chrome/118.0.5993.159 Electron/27.1.3 Safari/537.36",
)
_PHONES = (
    "Linux; Android 10; K",
    "Linux; Android 14; SM-S918B",
    "Linux; Android 13; Pixel 7a",
    "Linux; Android 14; CUBOT NOTE 50",
    "Linux; Android 12; M2101K6G",
    "Linux; arm_64; Android 14; 23021RAA2Y",
    "Linux; Android 9; KFMAWI",
)
_PHONE_BROWSERS = (
    "Chrome/141.0.0.0 Mobile Safari/537.36",
    "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Chrome/138.0.0.0 YaBrowser/25.8.2.98.00 SA/3 Mobile Safari/537.36",
    "Chrome/140.0.0.0 Mobile Safari/537.36 EdgA/140.0.0.0",
    "Chrome/137.0.0.0 Mobile Safari/537.36 OPR/91.0.0.0",
    "Chrome/140.0.0.0 Mobile DuckDuckGo/5 Safari/537.36",
    "Version/4.0 Chrome/140.0.7339.51 Mobile Safari/537.36",
    "Version/4.0 Chrome/141.0.7390.43 Mobile Safari/537.36 "
    "[FB_IAB/FB4A;FBAV/532.0.0.55.71;IABMV/1;]",
    "Version/4.0 Chrome/146.0.7680.174 Mobile Safari/537.36 MetaIAB Facebook",
    "Version/4.0 Chrome/139.0.7258.158 Mobile Safari/537.36 Instagram 396.0.0.46.242 Android "
    "(34/14; 480dpi; 1080x2340; samsung; SM-S918B; dm3q; qcom; de_DE; 771234567)",
    "Version/4.0 Chrome/138.0.7204.179 Mobile Safari/537.36 MicroMessenger/8.0.61.2880(0x28003D37) "
    "WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64",
    "Version/4.0 Chrome/140.0.7339.207 Mobile Safari/537.36 GSA/16.38.62.sa.arm64",
    "Version/4.0 Chrome/139.0.7258.143 Mobile Safari/537.36 LinkedInApp/4.1.1100",
    "Version/4.0 Chrome/140.0.7339.155 Mobile Safari/537.36 Line/15.14.0/IAB",
    "Silk/140.2.1 like Chrome/140.0.7339.207 Safari/537.36",
    "HeadlineNews/3.1 Chrome/140.0.0.0 Mobile Safari/537.36",
)
_IPHONES = (
    "iPhone; CPU iPhone OS 18_6 like Mac OS X",
    "iPhone; CPU iPhone OS 16_7_11 like Mac OS X",
    "iPad; CPU OS 17_7 like Mac OS X",
)
_IPHONE_BROWSERS = (
    "Version/18.6 Mobile/15E148 Safari/604.1",
    "CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1",
    "FxiOS/143.2 Mobile/15E148 Safari/605.1.15",
    "EdgiOS/140.0.3485.66 Version/18.0 Mobile/15E148 Safari/604.1",
    "Version/18.6 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
    "GSA/385.0.810 Mobile/15E148 Safari/604.1",
    "Mobile/15E148 [FBAN/FBIOS;FBAV/533.0.0.42.107;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS]",
    "Mobile/15E148 Instagram 398.0.0.24.74 (iPhone15,3; iOS 18_6; de_DE; de; scale=3.00)",
    "Mobile/15E148 Snapchat/13.55.0.45 (like Safari/8621.3.11, panda)",
    "Mobile/15E148 musical_ly_41.6.0 BytedanceWebview/d8a21c6",
    "Mobile/15E148",
)
_OTHERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:115.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (Android 14; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0 PaleMoon/33.9.1",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/18.6 Safari/605.1.15",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Version/26.0 Safari/605.1.15",
    f"Mozilla/5.0 (X11; Linux x86_64) {SAFARI} Version/18.0 Safari/605.1.15 Epiphany/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; .NET CLR 2.0.50727)",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "Mozilla/5.0 (compatible; Konqueror/4.14; Linux) KHTML/4.14.38 (like Gecko)",
    "Opera/9.80 (Android; Opera Mini/90.0/191.336; U; en) Presto/2.12.423 Version/12.16",
    "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
    f"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) {WEBKIT} 76.0.3809.146/6.0 TV Safari/537.36",
    f"Mozilla/5.0 (PlayStation; PlayStation 5/8.20) {SAFARI} Version/15.4 Safari/605.1.15",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {WEBKIT} Chrome/140.0.0.0 "
    "Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Thunderbird/128.14.0",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/8.0; .NET4.0C; .NET4.0E; "
    "Microsoft Outlook 16.0.17928; Microsoft Outlook 16.0.17928; ms-office; MSOffice 16)",
    f"Mozilla/5.0 (Linux; Android 16; SM-A566B; wv) {WEBKIT} Version/4.0 Chrome/141.0.0.0 Mobile "
    "Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Outlook/1.2025.909.200 Chrome/140.0.0.0 "
    "Safari/537.36 Edg/140.0.0.0",
)
BROWSERS = [
    *(f"Mozilla/5.0 ({desk}) {WEBKIT} {name}" for desk in _DESKTOPS for name in _CHROMES),
    *(f"Mozilla/5.0 ({phone}) {WEBKIT} {name}" for phone in _PHONES for name in _PHONE_BROWSERS),
    *(f"Mozilla/5.0 ({phone}) {SAFARI} {name}" for phone in _IPHONES for name in _IPHONE_BROWSERS),
    *_OTHERS,
]
# They show pictures under names that are no browser's.
READERS = [
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI}",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {SAFARI} Mobile/15E148",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Microsoft Office/16.0 (Microsoft Outlook Mail 16.0.18025; Pro)",
    "Outlook-iOS/2.0",
    "Outlook-Android/2.0",
    "MacOutlook/16.101.25091314 (Intel Mac OS X Version 15.6.1 (Build 24G90))",
    "Apple Mail/3826.700.81 CFNetwork/3826.600.41 Darwin/24.6.0",
    "Lotus-Notes/6.0; Windows-NT",
    "SparkDesktop/3.26.1",
    "Airmail/755 CFNetwork/1490.0.4 Darwin/23.2.0",
    "eM Client/10.3.2619.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; YahooMailProxy/1.0)",
]

"""All settings, read from the environment (and from `.env`,
which `make run` writes once for development).

MODE decides only what may be missing: `production` (the default) refuses to start without its
secrets, `development` fills them in, `test` also makes password hashing fast. docs/operate.md lists
every name.
"""

from email.utils import formataddr
from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from notifications_project import env, rest, wiring

BASE_DIR = Path(__file__).resolve().parent.parent
env.load_file(BASE_DIR / ".env")

MODE = env.choice("CARILLON_MODE", "production", ("production", "development", "test"))
PRODUCTION = MODE == "production"
DEBUG = env.flag("DEBUG", False)
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured(
        "DEBUG=1 shows source code and settings to visitors; it is refused in production mode."
    )

VAR_DIR = Path(env.text("VAR_DIR", BASE_DIR / "var"))
SECRET_KEY = env.secret_key(production=PRODUCTION)
SECRET_KEY_FALLBACKS = env.listing("SECRET_KEY_FALLBACKS")
# Encrypts provider credentials at rest. Several keys, comma-separated: the first encrypts,
# all decrypt.
FIELD_KEYS = env.field_keys(production=PRODUCTION)

SITE_NAME = env.text("SITE_NAME", "Carillon")
SITE_ADDRESS = env.text(
    "SITE_ADDRESS", "1 Bell Street, 12345 Example Town"
)  # CAN-SPAM asks for a postal address
SITE_URL = env.url("SITE_URL", "http://127.0.0.1:8000" if not PRODUCTION else "https://localhost")
DNS_SERVERS = env.listing("DNS_SERVERS")  # whom the doctor asks; none: those of the machine
MONITOR_TOKEN = env.text("MONITOR_TOKEN", "")  # who sends it to /readyz is told what is wrong
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
if not PRODUCTION:
    ALLOWED_HOSTS += ["testserver"]

# ------------------------------------------------------------------ apps
INSTALLED_APPS = [
    "apps.lib",
    "apps.accounts",
    "apps.followers",
    "apps.content",
    "apps.notifications",
    "apps.inbox",
    "apps.campaigns",
    "apps.analytics",
    "apps.api",
    "apps.dashboard",
    "apps.subscriptions",
    "apps.ops",
    "django.contrib.admin.apps.SimpleAdminConfig",  # what packages register could be edited
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "axes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "apps.subscriptions.tracking.straight",
    "apps.api.straight.straight",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.lib.network.no_store.no_store",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
# statements that take so long are written to the log, with the page or task that asked; 0 = none
SLOW_STATEMENT_MS = env.integer("SLOW_STATEMENT_MS", 0)
if SLOW_STATEMENT_MS:
    MIDDLEWARE.insert(0, "apps.lib.processes.slow_statements.NameRequests")
ROOT_URLCONF = "notifications_project.urls"
WSGI_APPLICATION = "notifications_project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"

# ------------------------------------------------------------------ database
DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'carillon.sqlite3'}")
_database = environ.Env.db_url_config(DATABASE_URL)
# Workers and web keep their connection:
# reconnecting costs 3.2 ms each time (13x slower enqueue, measured).
_database |= {"CONN_MAX_AGE": env.integer("CONN_MAX_AGE", 600), "CONN_HEALTH_CHECKS": True}
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE + WAL: 0 of 800 concurrent writes failed,
    # 222 of 800 with Django's defaults (measured).
    _database["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA cache_size=-20000;"
        ),
    }
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    if MODE == "test":
        _database["OPTIONS"]["timeout"] = 300  # no test depends on how fast the machine is
        _database["TEST"] = {
            "NAME": VAR_DIR / "test.sqlite3"
        }  # a file: real locking, and other processes see it
else:
    # A server that swallows packets would otherwise hold a stopping process for two minutes.
    # PostgreSQL compiles each planning statement for 1.4 s and saves nothing: 12,000 deliveries/s
    # so, 26,000 without.
    _database["OPTIONS"] = {
        "connect_timeout": 10,
        "options": "-c jit=off -c plan_cache_mode=force_generic_plan",
        # what lib/sql/prepared.py asks for; no other statement is prepared
        "prepare_threshold": 5 if env.flag("PREPARED_STATEMENTS", True) else None,
        **_database.get("OPTIONS", {}),
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # django-q2 keeps its cluster status in a cache;
    # per-process memory would hide one cluster from another.
    "q": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "q-cache",
    },
}

# ------------------------------------------------------------------ people and sessions
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if MODE == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "dashboard:login"
LOGIN_REDIRECT_URL = "dashboard:home"
LOGOUT_REDIRECT_URL = "dashboard:login"
AXES_FAILURE_LIMIT = 7
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or strangers could keep it closed
AXES_HANDLER = "apps.accounts.log_in.Limits"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "dashboard/administer/auth/locked_out.html"
AXES_VERBOSE = False
# How many proxies in front append to X-Forwarded-For; 0 means the header is not believed at all.
PROXY_COUNT = env.integer("PROXY_COUNT", 0)
AXES_CLIENT_IP_CALLABLE = "apps.accounts.log_in.source"

SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked from inside, over plain HTTP
if PRODUCTION:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    if PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "worker-src": [SELF],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    },
}

# ------------------------------------------------------------------ language, time, files
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Development and tests serve the files as they lie there;
# production serves hashed names with far expiry.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not PRODUCTION
_static_backend = "whitenoise.storage.CompressedStaticFilesStorage"
if PRODUCTION:
    _static_backend = "notifications_project.hashed_static.HashedModules"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_backend},
}
MEDIA_ROOT = VAR_DIR / "files"
EXPORT_FOLDER = env.text("EXPORT_FOLDER", "")  # scheduled exports may be written below; "" = none
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000  # a file of 1,000 columns has a choice for each, and words
EVENT_DAYS = env.integer(
    "EVENT_DAYS", 90, least=1
)  # an integrator's event is kept so long after it was worked off
# A send is paused by itself when so many percent of its messages were refused, and so many at
# least (docs/decisions/0033-whose-fault.md); 0 percent = never.
BRAKE_PERCENT = env.integer("BRAKE_PERCENT", 10)
BRAKE_LEAST = env.integer("BRAKE_LEAST", 20, least=1)
# Marketing goes to those who switched it on: what is made here begins so, and staff can't make it
# otherwise. 0: on by default may be chosen, as some countries allow.
MARKETING_OPT_IN = env.flag("MARKETING_OPT_IN", True)
CUSTOM_FIELDS_ONLY = env.flag("CUSTOM_FIELDS_ONLY", False)  # followers' metadata has no other keys
IMPORT_MAX_BYTES = env.integer("IMPORT_MAX_BYTES", 500 * 1024 * 1024)

# Networks of mail filters: an open or click from there is no person's (Microsoft's: addresses of
# Exchange Online Protection; Proofpoint's and Barracuda's: their lists for firewalls; Apple's).
# Not Google's: what comes from there is the image proxy of somebody who opens a mail.
SCANNER_NETWORKS = env.listing(
    "SCANNER_NETWORKS",
    "40.92.0.0/15,40.107.0.0/16,52.100.0.0/14,104.47.0.0/17,67.231.144.0/20,148.163.128.0/19,"
    "64.235.144.0/20,209.222.80.0/21,17.0.0.0/8",
)

# ------------------------------------------------------------------ mail
# These fill the first provider account; staff may add others in the dashboard.
EMAIL_HOST = env.host("EMAIL_HOST", "127.0.0.1")
EMAIL_PORT = env.integer("EMAIL_PORT", 25 if PRODUCTION else 1025)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = env.integer("EMAIL_TIMEOUT", 60, least=1)
DEFAULT_FROM_NAME, DEFAULT_FROM_ADDRESS = env.mailbox(
    "DEFAULT_FROM_EMAIL",
    "hello@carillon.example",
    named="DEFAULT_FROM_NAME",
    default_name=SITE_NAME,
)
# Django's own name for both, for what is sent past the accounts
DEFAULT_FROM_EMAIL = formataddr((DEFAULT_FROM_NAME, DEFAULT_FROM_ADDRESS))
TESTERS = env.listing("TESTERS")  # whom staff that may not send can send tests, beside staff
MAILBOX_PORT = env.integer("MAILBOX_PORT", 1025)
JOURNAL_DIR = VAR_DIR / "journal"

# ------------------------------------------------------------------ push
# Hosts that browsers' push endpoints may be on, or below: the address comes from the browser,
# and we post to it.
PUSH_SERVICES = env.listing(
    "PUSH_SERVICES",
    "fcm.googleapis.com,push.services.mozilla.com,push.apple.com,notify.windows.com"
    + ("" if PRODUCTION else ",127.0.0.1"),
)
DEVICE_IDLE_DAYS = env.integer(
    "DEVICE_IDLE_DAYS", 270
)  # a device not seen for so long is forgotten; 0 = never

# The ports that webhooks may name: on others of an open host lies what is not the web.
WEBHOOK_PORTS = env.integers("WEBHOOK_PORTS", "443")
# Webhooks may lead to this machine, to any of its ports: for trying things out only.
ALLOW_LOOPBACK = env.flag("ALLOW_LOOPBACK", not PRODUCTION)

# ------------------------------------------------------------------ queue
# The queue is only a wake-up call (docs/architecture.md): short tasks, ids only, safe to run twice.
# retry > timeout * (queue_limit / workers + 1): the retry clock starts at dequeue and counts
# waiting in memory.
_lane = {
    "workers": 1,
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 120,
    "retry": 300,
    "max_attempts": 3,
    "ack_failures": True,
}
Q_CLUSTER = {
    "name": "carillon",
    "orm": "default",
    "broker_class": "apps.lib.queue.broker.ListeningBroker",
    "cache": "q",
    "save_limit": -1,  # keeps no row per success: 250 (the default) locks all of them at each save
    "catch_up": False,
    "scheduler": False,  # due work is found by our own tick, in our own tables
    "log_level": "WARNING",
    "poll": 0.2,  # where another cluster took the call that was seen
    "guard_cycle": 2,  # seconds between two looks at a lane's processes; a stop is heard at once
    **_lane,
    "ALT_CLUSTERS": {
        lane: {**_lane, "workers": workers, "queue_limit": workers}
        for lane, workers in {
            "critical": env.integer("WORKERS_CRITICAL", 1, least=1),
            "transactional": env.integer("WORKERS_TRANSACTIONAL", 1, least=1),
            "bulk": env.integer("WORKERS_BULK", 2, least=1),
        }.items()
    },
}

# ------------------------------------------------------------------ where strangers meet
PROVIDERS = wiring.PROVIDERS
EVENT_SUBSCRIBERS = wiring.EVENT_SUBSCRIBERS
SCHEDULES = wiring.SCHEDULES
MOVED_TASKS = wiring.MOVED_TASKS
ENCRYPTED = wiring.ENCRYPTED
ERASES = wiring.ERASES
MERGES = wiring.MERGES
SEARCHED = wiring.SEARCHED
EXPORTS = wiring.EXPORTS
PERSON_EXPORT = wiring.PERSON_EXPORT
PERSON_ARCHIVE = wiring.PERSON_ARCHIVE
FIELD_KEYS_KNOWN = wiring.FIELD_KEYS_KNOWN
LEDGERS = wiring.LEDGERS

# ------------------------------------------------------------------ API
REST_FRAMEWORK = rest.REST_FRAMEWORK
SPECTACULAR_SETTINGS = rest.SPECTACULAR
API_CALLS_PER_MINUTE = env.integer(
    "API_CALLS_PER_MINUTE", 600, least=1
)  # of each key, and of each member of staff
# Of one web process: how many requests it works on at once, each with a database connection; and
# how many calls that may be refused (notify, events) wait for that. The web server has a thread for
# all of them and some more.
REQUESTS_AT_ONCE = env.integer("REQUESTS_AT_ONCE", 4, least=1)
REQUESTS_WAITING = env.integer("REQUESTS_WAITING", 48)
IDEMPOTENCY_HOURS = env.integer(
    "IDEMPOTENCY_HOURS", 24, least=24
)  # how long an answer can be asked for again

SILENCED_SYSTEM_CHECKS: list[str] = []
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "apps.lib.network.masked_log.MaskedFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "WARNING")},
    "loggers": (
        # what speaks to Apple logs device tokens from INFO on, and our own token at DEBUG
        {name: {"level": "WARNING"} for name in ("httpx2", "httpcore2", "hpack")}
        | {"carillon": {"level": env.text("LOG_LEVEL", "INFO")}, "axes": {"level": "ERROR"}}
        # these have handlers of their own, which would write tokens and mail them
        | {"django": {"level": env.text("LOG_LEVEL", "WARNING"), "handlers": []}}
        | {
            name: {"level": "INFO", "handlers": ["console"], "propagate": False}
            for name in ("django.server", "granian.access", "gunicorn.access")
        }
    ),
}

"""Settings of the product, from the environment and `.env`. docs/settings.md lists every variable.

Safe by default: DEBUG is off, and nothing starts without SECRET_KEY and DATABASE_URL.
"""

import os
from pathlib import Path

from project.env import Environment

ROOT = Path(__file__).resolve().parents[2]
BASE_DIR = ROOT / "backend"
env = Environment(os.environ, file=Path(os.environ.get("ENV_FILE", ROOT / ".env")))

DEBUG = env.boolean("DEBUG", default=False)
ENVIRONMENT = env.text("ENVIRONMENT", default="local" if DEBUG else "production")
SECRET_KEY = env.text("SECRET_KEY")
DATABASES = {
    "default": {
        **env.database("DATABASE_URL", root=ROOT),
        "CONN_MAX_AGE": env.integer("CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
    }
}

TRIAL_DAYS = env.integer("TRIAL_DAYS", default=60)
TRIAL_GRACE_DAYS = env.integer("TRIAL_GRACE_DAYS", default=1)

INSTALLED_APPS = [
    "django_runbook.schema",
    "django_runbook.jobs",
    "accounts",
    "users",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_extensions",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "users.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = ROOT / "var" / "static"

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
# One hour, so that a mistake heals soon. Browsers preload from a year up (hstspreload.org).
SECURE_HSTS_SECONDS = 0 if DEBUG else env.integer("SECURE_HSTS_SECONDS", default=3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
if env.boolean("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

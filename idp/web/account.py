"""A person's own pages: what can I do, my logins, my devices."""

from fastapi import APIRouter

router = APIRouter()

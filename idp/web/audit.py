"""The security desk's search of the log."""

from fastapi import APIRouter

router = APIRouter()

"""The local mailbox; development only."""

from fastapi import APIRouter

router = APIRouter()

"""The access manager's pages: people of a practice, what they may do, give and remove."""

from fastapi import APIRouter

router = APIRouter()

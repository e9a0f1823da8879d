"""The authorize endpoint and the pages that belong to it: practice, consent, sign-out."""

from fastapi import APIRouter

router = APIRouter()

"""The tab "A scan"."""

import streamlit as st


def show() -> None:
    """Lays the tab out."""
    st.write("To come.")

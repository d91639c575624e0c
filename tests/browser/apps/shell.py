"""A page of the tests: the side bar, the operating point and the jobs, as every page has them."""

import streamlit as st

from core.ui import controls, jobs, shell

st.set_page_config(page_title="Shell", layout="wide")
jobs.strip()
shell.head("Shell", "What all pages share, and nothing else.")
chosen = controls.choice(warm="warm" in st.query_params)
st.write(f"chosen {chosen.model} {chosen.draws} {chosen.seed} {chosen.device} {chosen.data}")
st.write(f"point {controls.point()} measure {controls.measure()}")
st.button("Keep 60 %", on_click=controls.set_point, args=(0.6,))
if st.button("A picture came"):
    controls.switch_model("toybox-laplace", "The file is a picture.")
if st.button("Index Soundbox"):
    jobs.start(("index", "soundbox", "--collection", "watched"), "Index Soundbox as watched")
    st.rerun()

"""What Streamlit alone makes of the elements that our pages use: the yardstick of the accessibility test."""

import streamlit as st


def page() -> None:
    st.title("A bare page", anchor=False)
    st.markdown("One sentence.")
    st.sidebar.selectbox("One of", ("first", "second"))
    st.sidebar.number_input("Number", 1, 500)
    st.sidebar.segmented_control("Kind", ("one", "other"), default="one")
    st.sidebar.caption("A caption.")
    with st.sidebar.popover("More"):
        st.write("More.")
    st.file_uploader("Files", accept_multiple_files=True)
    st.slider("Share", 0.0, 1.0, 0.5)
    st.segmented_control("Where from", ("here", "there"), default="here")
    with st.expander("Why"):
        st.write("Because.")
    st.tabs(["first", "second"])
    st.dataframe({"a": [1, 2], "b": [3, 4]})
    st.download_button("Take it", b"1", "one.csv")
    st.caption("A caption.")
    st.info("A hint.")
    st.warning("Mind.")
    st.toggle("On")
    st.multiselect("Some of", ("first", "second"))


st.set_page_config(page_title="Bare", layout="wide")
st.navigation(
    [st.Page(page, title="Bare"), st.Page(lambda: None, title="Other", url_path="other")], position="top"
).run()

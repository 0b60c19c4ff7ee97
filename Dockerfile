# docker build -t gannb . && docker run --rm -p 127.0.0.1:8888:8888 -v "$PWD/mine:/notebooks" gannb
# The notebooks, presets and runs lie in the mounted folder; with --gpus all the card is used.
FROM python:3.12-slim

WORKDIR /opt/gannb
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gannb gannb
COPY notebooks notebooks
COPY params params
COPY results results
COPY docs docs
COPY tests/notebooks/references tests/notebooks/references
RUN pip install --no-cache-dir . -c constraints.txt && rm -rf /opt/gannb/*

RUN useradd --create-home reader && mkdir /notebooks && chown reader /notebooks
USER reader
WORKDIR /notebooks
VOLUME /notebooks
EXPOSE 8888
CMD ["gannb", "lab", "/notebooks", "--jupyter=--ip=0.0.0.0 --no-browser"]

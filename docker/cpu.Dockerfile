# medrft with the profile cpu. From the repository's root:
#   docker build -f docker/cpu.Dockerfile -t medrft:cpu .
#   docker run --rm --shm-size=2g medrft:cpu                                        (looks whether it is fit to train)
#   docker run --rm --shm-size=2g -v "$PWD/runs:/runs" medrft:cpu medrft train quickstart --run /runs/quickstart
FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/medrft
WORKDIR /src
# The packages first: they change less often than the code.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY mae_pretrain mae_pretrain
RUN mkdir -p rewards envs recipes/config recipes/cpu \
    && sed -E 's/^(torch==.*)$/\1+cpu/' constraints.txt > constraints-cpu.txt \
    && /opt/medrft/bin/pip install --no-cache-dir -c constraints-cpu.txt --extra-index-url "$TORCH_INDEX" '.[cpu]'
COPY rewards rewards
COPY envs envs
COPY recipes recipes
RUN rm -rf build && /opt/medrft/bin/pip install --no-cache-dir --no-deps --force-reinstall .

FROM python:3.11-slim-bookworm
# vLLM's CPU build: OpenMP, NUMA, tcmalloc. A compiler: Triton and inductor look for one.
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libgomp1 libnuma1 libtcmalloc-minimal4 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 medrft && install -d -o medrft /runs
COPY --from=build /opt/medrft /opt/medrft
ENV PATH=/opt/medrft/bin:$PATH PYTHONUNBUFFERED=1
USER medrft
WORKDIR /runs
CMD ["medrft", "doctor"]

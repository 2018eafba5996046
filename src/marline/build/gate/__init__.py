"""The gate: what an artifact must prove before it becomes an archive, and how fast it is on this CPU class.

Quality belongs to the artifact: a miss means no archive.  Speed, memory and load time belong to the
pair of artifact and CPU class: a miss means not eligible there.  Everything is compared with the
reference in the same run.
"""
